import MetaTrader5 as mt5
import pandas as pd

if not mt5.initialize():
    print("initialize() failed, error code =", mt5.last_error())
    quit()

print("Total orders =", mt5.orders_total())
point = mt5.symbol_info("GBPUSD").point
for number in range(1, 4):
    result = mt5.order_send(
        {
            "action": mt5.TRADE_ACTION_PENDING,
            "symbol": "GBPUSD",
            "volume": 0.1 * number,
            "type": mt5.ORDER_TYPE_BUY_LIMIT,
            "price": mt5.symbol_info_tick("GBPUSD").ask - 1000 * number * point,
            "type_time": mt5.ORDER_TIME_GTC,
            "type_filling": mt5.ORDER_FILLING_RETURN,
            "magic": 234000,
        }
    )
    print(result.retcode, result.order > 0)

orders = mt5.orders_get(symbol="GBPUSD")
if orders is None:
    print("No orders on GBPUSD, error code={}".format(mt5.last_error()))
else:
    print("Total orders on GBPUSD:", len(orders))

gbp_orders = mt5.orders_get(group="*GBP*")
df = pd.DataFrame(list(gbp_orders), columns=gbp_orders[0]._asdict().keys())
df = df.drop(
    ["time_done", "time_done_msc", "position_id", "position_by_id", "reason",
     "volume_initial", "price_stoplimit"], axis=1)
df["time_setup"] = pd.to_datetime(df["time_setup"], unit="s")
print(df["symbol"].tolist(), df["type"].tolist(), df["state"].tolist())

for order in gbp_orders:
    result = mt5.order_send({"action": mt5.TRADE_ACTION_REMOVE, "order": order.ticket})
    print(result.retcode, result.comment)
print("Total orders =", mt5.orders_total())
mt5.shutdown()

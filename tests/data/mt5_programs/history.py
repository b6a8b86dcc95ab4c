from datetime import datetime

import MetaTrader5 as mt5
import pandas as pd

if not mt5.initialize():
    print("initialize() failed, error code =", mt5.last_error())
    quit()

opened = mt5.Buy("GBPUSD", 0.1)
mt5.Sell("GBPUSD", 0.1, ticket=opened.order)
mt5.Buy("EURUSD", 0.3)

from_date = datetime(2020, 1, 1)
to_date = datetime(2026, 12, 31)
print("Total history orders =", mt5.history_orders_total(from_date, to_date))
print("Total deals =", mt5.history_deals_total(from_date, to_date))

history_orders = mt5.history_orders_get(from_date, to_date, group="*GBP*")
if history_orders is None:
    print("No history orders with group=\"*GBP*\", error code={}".format(mt5.last_error()))
elif len(history_orders) > 0:
    print("history_orders_get(group=\"*GBP*\")={}".format(len(history_orders)))

position_id = opened.order
orders = mt5.history_orders_get(position=position_id)
df = pd.DataFrame(list(orders), columns=orders[0]._asdict().keys())
df["time_setup"] = pd.to_datetime(df["time_setup"], unit="s")
print("orders of the position:", df["type"].tolist(), df["state"].tolist())

deals = mt5.history_deals_get(from_date, to_date, group="*,!*EUR*,!*GBP*")
print("neither EUR nor GBP:", [deal.type for deal in deals])

position_deals = mt5.history_deals_get(position=position_id)
df = pd.DataFrame(list(position_deals), columns=position_deals[0]._asdict().keys())
df["time"] = pd.to_datetime(df["time"], unit="s")
print("deals of the position:", df["entry"].tolist(), df["position_id"].nunique())
mt5.shutdown()

import MetaTrader5 as mt5

if not mt5.initialize():
    print("initialize() failed, error code =", mt5.last_error())
    quit()

account_currency = mt5.account_info().currency
print("Account currency:", account_currency)
lot = 0.1
distance = 300
for symbol in ("EURUSD", "GBPUSD", "USDJPY", "USDCHF", "EURJPY"):
    symbol_info = mt5.symbol_info(symbol)
    if symbol_info is None:
        print(symbol, "not found, skipped")
        continue
    if not symbol_info.visible:
        print(symbol, "is not visible, trying to switch on")
        if not mt5.symbol_select(symbol, True):
            print("symbol_select({}) failed, skipped", symbol)
            continue
    tick = mt5.symbol_info_tick(symbol)
    margin = mt5.order_calc_margin(mt5.ORDER_TYPE_BUY, symbol, lot, tick.ask)
    if margin is None:
        print("order_calc_margin failed: , error code =", mt5.last_error())
    gained = mt5.order_calc_profit(
        mt5.ORDER_TYPE_BUY, symbol, lot, tick.ask, tick.ask + distance * symbol_info.point
    )
    lost = mt5.order_calc_profit(
        mt5.ORDER_TYPE_SELL, symbol, lot, tick.bid, tick.bid + distance * symbol_info.point
    )
    print(symbol, margin > 0, gained > 0, lost < 0)

print(mt5.order_calc_margin(mt5.ORDER_TYPE_BUY, "NOSUCH", lot, 1.0), mt5.last_error())
mt5.shutdown()

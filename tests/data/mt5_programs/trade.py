import sys

import MetaTrader5 as mt5

if not mt5.initialize():
    print("initialize() failed, error code =", mt5.last_error())
    quit()

symbol = "USDJPY"
filling = getattr(mt5, "ORDER_FILLING_" + sys.argv[1])
symbol_info = mt5.symbol_info(symbol)
if symbol_info is None:
    print(symbol, "not found, can not call order_check()")
    mt5.shutdown()
    quit()
if not symbol_info.visible:
    print(symbol, "is not visible, trying to switch on")
    if not mt5.symbol_select(symbol, True):
        print("symbol_select({}) failed, exit", symbol)
        mt5.shutdown()
        quit()

lot = 0.1
point = mt5.symbol_info(symbol).point
price = mt5.symbol_info_tick(symbol).ask
deviation = 20
request = {
    "action": mt5.TRADE_ACTION_DEAL,
    "symbol": symbol,
    "volume": lot,
    "type": mt5.ORDER_TYPE_BUY,
    "price": price,
    "sl": price - 100 * point,
    "tp": price + 100 * point,
    "deviation": deviation,
    "magic": 234000,
    "comment": "python script open",
    "type_time": mt5.ORDER_TIME_GTC,
    "type_filling": filling,
}

result = mt5.order_check(request)
print("check:", result.retcode, result.comment)
result_dict = result._asdict()
for field in result_dict.keys():
    if field == "request":
        traderequest_dict = result_dict[field]._asdict()
        for tradereq_filed in traderequest_dict:
            if tradereq_filed in request:
                print("       {}: {}".format(
                    tradereq_filed, traderequest_dict[tradereq_filed] == request[tradereq_filed]))

result = mt5.order_send(request)
print("1. order_send(): by {} {} lots done, ".format(symbol, lot))
if result.retcode != mt5.TRADE_RETCODE_DONE:
    print("2. order_send failed, retcode={}".format(result.retcode))
    result_dict = result._asdict()
    for field in result_dict.keys():
        if field == "request":
            traderequest_dict = result_dict[field]._asdict()
            print("   traderequest: comment={}".format(traderequest_dict["comment"]))
    print("shutdown() and quit")
    mt5.shutdown()
    quit()

print("2. order_send done, ", result.comment)
print("   opened position with POSITION_TICKET={}".format(result.order > 0))

position_id = result.order
price = mt5.symbol_info_tick(symbol).bid
request = {
    "action": mt5.TRADE_ACTION_DEAL,
    "symbol": symbol,
    "volume": lot,
    "type": mt5.ORDER_TYPE_SELL,
    "position": position_id,
    "price": price,
    "deviation": deviation,
    "magic": 234000,
    "comment": "python script close",
    "type_time": mt5.ORDER_TIME_GTC,
    "type_filling": filling,
}
result = mt5.order_send(request)
if result.retcode != mt5.TRADE_RETCODE_DONE:
    print("4. order_send failed, retcode={}".format(result.retcode))
else:
    print("4. position closed:", len(mt5.positions_get(ticket=position_id)))
    print("   deals:", [d.comment for d in mt5.history_deals_get(position=position_id)])
mt5.shutdown()

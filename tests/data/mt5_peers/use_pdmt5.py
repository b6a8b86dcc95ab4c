"""pdmt5: every function of the module through its client, as dictionaries and tables."""

from datetime import UTC, datetime

import MetaTrader5 as mt5
from pdmt5 import Mt5Config, Mt5DataClient, Mt5RuntimeError

config = Mt5Config(login=25115284, password="ehj4bh", server="MetaQuotes-Demo")
client = Mt5DataClient(config=config)
client.initialize_and_login_mt5()
print("version", client.version_as_dict()["build"])
print("account", client.account_info_as_dict()["login"], client.account_info_as_df().shape)
print("terminal", client.terminal_info_as_df().shape)
print("symbols", client.symbols_total(), client.symbols_get_as_df(group="*JPY*").shape)
for symbol in ("EURUSD", "GBPUSD"):
    print("select", client.symbol_select(symbol))
print("symbol", client.symbol_info_as_dict("EURUSD")["digits"])
tick = client.symbol_info_tick_as_dict("EURUSD")
print("tick", sorted(tick) == sorted(mt5.Tick.__match_args__), tick["bid"] < tick["ask"])

start, end = datetime(2026, 1, 20, tzinfo=UTC), datetime(2026, 1, 21, tzinfo=UTC)
hour = mt5.TIMEFRAME_H1
print("rates", client.copy_rates_from_as_df("EURUSD", hour, start, 10).shape)
print("rates", client.copy_rates_from_pos_as_df("EURUSD", hour, 0, 10).shape)
print("rates", client.copy_rates_range_as_df("EURUSD", hour, start, end).shape)
print("ticks", client.copy_ticks_from_as_df("EURUSD", start, 10, mt5.COPY_TICKS_ALL).shape)
print("ticks", client.copy_ticks_range_as_df("EURUSD", start, end, mt5.COPY_TICKS_ALL).shape)

print("margin", client.order_calc_margin(mt5.ORDER_TYPE_BUY, "EURUSD", 1.0, tick["ask"]) > 0)
print("profit", client.order_calc_profit(mt5.ORDER_TYPE_BUY, "EURUSD", 1.0, 1.1, 1.11))
request = {
    "action": mt5.TRADE_ACTION_DEAL,
    "symbol": "EURUSD",
    "volume": 0.1,
    "type": mt5.ORDER_TYPE_BUY,
    "price": tick["ask"],
    "type_filling": mt5.ORDER_FILLING_IOC,
}
print("check", client.order_check_as_dict(request)["retcode"])
sent = client.order_send_as_dict(request)
print("send", sent["retcode"], sent["comment"])
print("positions", client.positions_total(), client.positions_get_as_df(symbol="EURUSD").shape)
pending = {**request, "action": mt5.TRADE_ACTION_PENDING, "type": mt5.ORDER_TYPE_BUY_LIMIT,
           "price": tick["ask"] - 0.01, "type_filling": mt5.ORDER_FILLING_RETURN}
print("pending", client.order_send(pending).retcode, client.orders_total())
print("orders", client.orders_get_as_df(group="*USD").shape)
print("history", client.history_orders_total(0, 2**31 - 1),
      client.history_orders_get_as_df(position=sent["order"]).shape)
print("deals", client.history_deals_total(0, 2**31 - 1),
      client.history_deals_get_as_df(date_from=1, date_to=2**31 - 1).shape)

for name, call in (
    ("NOSUCH", lambda: client.symbol_info("NOSUCH")),
    ("float", lambda: client.order_send({**request, "volume": 1})),
):
    try:
        call()
    except Mt5RuntimeError:
        print("refused", name, client.last_error()[0])
client.shutdown()

"""metatrader5EasyT: reads everything; its orders are refused by market execution."""

import MetaTrader5 as mt5
from metatrader5EasyT.initialization import Initialize
from metatrader5EasyT.rates import Rates
from metatrader5EasyT.tick import Tick
from metatrader5EasyT.timeframe import TimeFrame
from metatrader5EasyT.trade import Trade

connection = Initialize()
print("initialize", connection.initialize_platform())
print("symbol", connection.initialize_symbol("usdjpy"), connection.symbol_initialized)

rates = Rates("USDJPY", TimeFrame().ONE_HOUR, 5)
rates.update_rates()
print("rates", len(rates.close), bool((rates.low <= rates.high).all()))
tick = Tick("USDJPY")
tick.get_new_tick()
print("tick", tick.bid < tick.ask)

trade = Trade("USDJPY", 0.1, 1.0, 1.0)
trade._trade_allowed = True
# It always asks for ORDER_FILLING_RETURN, which market execution never takes and
# instant execution does.
opened = trade.position_open(True, False)
tick = mt5.symbol_info_tick("USDJPY")
asked = {"action": mt5.TRADE_ACTION_DEAL, "symbol": "USDJPY", "volume": 0.1,
         "type": mt5.ORDER_TYPE_BUY, "price": tick.ask,
         "type_filling": mt5.ORDER_FILLING_RETURN}
print("its own fault: market execution", opened, mt5.positions_total(),
      mt5.order_check(asked).retcode)
mt5.terminal.known("USDJPY").fields["trade_exemode"] = mt5.SYMBOL_TRADE_EXECUTION_INSTANT
print("instant execution", trade.position_open(True, False), mt5.positions_total())
print("close", trade.position_close(), mt5.positions_total())

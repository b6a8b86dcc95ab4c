"""pymt5adapter: its context, its module-wide functions, and its Trade and Order."""

import pymt5adapter as mta
from pymt5adapter.order import Order
from pymt5adapter.symbol import Symbol
from pymt5adapter.trade import Trade

with mta.connected(
    login=25115284,
    password="ehj4bh",
    server="MetaQuotes-Demo",
    ensure_trade_enabled=True,
    raise_on_errors=True,
) as connection:
    print("account", mta.account_info().login, connection.terminal_info.build)
    print("ping", connection.ping().trade_server)
    print("symbols", mta.symbols_total(), len(mta.symbols_get(group="*JPY*")))
    print("select", mta.symbol_select("EURUSD"))
    symbol = Symbol("EURUSD")
    print("symbol", symbol.digits, symbol.bid < symbol.ask)
    print("rates", len(mta.copy_rates("EURUSD", mta.TIMEFRAME.H1, count=10)))
    print("pos", len(mta.copy_rates_from_pos("EURUSD", mta.TIMEFRAME.M30, 0, 5)))
    print("ticks", len(mta.copy_ticks_from("EURUSD", 1, 7, mta.COPY_TICKS.ALL)))

    trade = Trade("EURUSD", magic=99)
    bought = trade.buy(0.2, comment="adapter", type_filling=mta.ORDER_FILLING.IOC)
    print("buy", bought.retcode, trade.position.magic, trade.position.comment)
    print("sltp", trade.modify_sltp_by_ticks(sl=500, tp=500).retcode)
    position = mta.positions_get(ticket=bought.order)[0]
    print("levels", position.sl < position.price_open < position.tp)
    sold = trade.sell(0.1, type_filling=mta.ORDER_FILLING.IOC)
    print("sell", sold.retcode, mta.positions_total())
    flat = Order.as_flatten(position, type_filling=mta.ORDER_FILLING.IOC).send()
    print("flatten", flat.retcode, mta.positions_total())
    print("deals", len(mta.history_deals_get(position=bought.order)))
    print("history", len(mta.history_deals_get(1, 2**31 - 1)))
    print("orders", mta.orders_get(symbol="EURUSD"), mta.orders_total())
    print("dict", mta.dictify(mta.symbol_info_tick("EURUSD"))["bid"] > 0)
    print("close", mta.Close("EURUSD"), mta.positions_total())
    try:
        mta.symbol_info("NOSUCH")
    except mta.MT5Error as error:
        print("refused", error.error_code.name)
    # The module's spread_float is a flag, which the package divides by the tick size.
    print("its own fault: spread", symbol.spread, mta.symbol_info("EURUSD").spread_float)

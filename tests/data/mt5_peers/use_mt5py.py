"""mt5py: its validating Trader opens, protects, reduces and closes."""

from datetime import UTC, datetime

from MT5pytrader import Trader, TradeError

with Trader(magic=777, comment="mt5py") as trader:
    account = trader.connect(25115284, "ehj4bh", "MetaQuotes-Demo")
    print("account", account.login, account.currency)
    print("preview", trader.preview_order("EURUSD", "buy", 0.3)["type_filling"])
    print("check", trader.check_order("EURUSD", "buy", 0.3, stop_loss=300).valid)
    bought = trader.open_buy("EURUSD", 0.3, stop_loss=300, take_profit=600)
    print("buy", bought.status, bought.retcode, bought.executed_volume)
    (held,) = trader.positions(magic=777, side="buy")
    print("held", held.comment, round(held.tp - held.price_open, 5))
    lower = held.sl - 0.001
    print("modify", trader.modify_sl(ticket_id=held.ticket, sl=lower).status)
    print("partly", trader.close_partial_buy(0.5, ticket_id=held.ticket).status)
    print("left", trader.positions(ticket=held.ticket)[0].volume)
    print("margin", trader.margin_required("EURUSD", "buy", 1.0) > 0)
    ask = trader.mt5.symbol_info_tick("EURUSD").ask
    risk = trader.calculate_volume("EURUSD", "buy", ask, ask - 0.005, 100.0)
    print("risk", risk.volume, risk.currency)
    placed = trader.open_sell_limit("EURUSD", price=ask + 0.01, lot=0.1)
    print("limit", placed.status, len(trader.get_orders(magic=777)))
    print("cancel", trader.cancel_order(placed.order).status, len(trader.get_orders()))
    print("close", [r.status for r in trader.close_buy("EURUSD")], len(trader.positions()))
    start, end = datetime(2026, 1, 20, tzinfo=UTC), datetime(2026, 1, 22, tzinfo=UTC)
    print("report", trader.performance_report(start, end)["deal_count"])
    print("rates", trader.get_rates("EURUSD", trader.mt5.TIMEFRAME_H1, start, end).shape)
    print("ticks", trader.get_ticks("EURUSD", start, end).shape)
    try:
        trader.preview_order("NOSUCH", "buy")
    except TradeError as error:
        print("refused", error.code, error.last_error)
    # It lets comments of 31 characters pass, the module takes 29.
    trader.comment = trader._comment("x" * 30)
    try:
        trader.open_buy("EURUSD", 0.1)
    except TradeError as error:
        print("its own fault:", error, error.last_error)

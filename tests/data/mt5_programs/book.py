import MetaTrader5 as mt5

if not mt5.initialize():
    print("initialize() failed, error code =", mt5.last_error())
    quit()

if mt5.market_book_add("EURUSD"):
    for i in range(3):
        items = mt5.market_book_get("EURUSD")
        if items:
            for it in items:
                content = it._asdict()
                print(content["type"], content["volume"], sorted(content))
    print(mt5.market_book_release("EURUSD"))
else:
    print("mt5.market_book_add('EURUSD') failed, error code =", mt5.last_error())

if not mt5.market_book_add("GBPUSD"):
    print("no depth of GBPUSD, error code =", mt5.last_error()[0])
mt5.shutdown()

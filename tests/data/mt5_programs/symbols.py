import MetaTrader5 as mt5

if not mt5.initialize():
    print("initialize() failed, error code =", mt5.last_error())
    quit()

print("Total symbols =", mt5.symbols_total())
symbols = mt5.symbols_get()
print("Symbols: ", len(symbols))
for s in symbols[:3]:
    print("{}. {}".format(symbols.index(s) + 1, s.name))

eur_symbols = mt5.symbols_get("*EUR*")
print("len(*EUR*): ", len(eur_symbols))

group_symbols = mt5.symbols_get(group="*,!*USD*,!*EUR*,!*JPY*,!*GBP*")
print("len(*,!*USD*,!*EUR*,!*JPY*,!*GBP*):", len(group_symbols))
for s in group_symbols:
    print(s.name, ":", s.trade_calc_mode)

selected = mt5.symbol_select("EURJPY", True)
if not selected:
    print("Failed to select EURJPY")
    quit()
symbol_info = mt5.symbol_info("EURJPY")
if symbol_info is not None:
    print("EURJPY: digits =", symbol_info.digits, " point =", symbol_info.point)
    symbol_info_dict = symbol_info._asdict()
    print("properties:", len(symbol_info_dict))

lasttick = mt5.symbol_info_tick("EURJPY")
print("tick keys:", sorted(lasttick._asdict()))
print("spread kept:", round((lasttick.ask - lasttick.bid) / symbol_info.point) == symbol_info.spread)

selected = mt5.symbol_select("EURCAD", True)
if not selected:
    print("Failed to select EURCAD, error code =", mt5.last_error())
mt5.shutdown()

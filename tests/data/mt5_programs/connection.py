import MetaTrader5 as mt5

print("MetaTrader5 package author: ", mt5.__author__)
print("MetaTrader5 package version: ", mt5.__version__)
if not mt5.initialize():
    print("initialize() failed, error code =", mt5.last_error())
    quit()
print(mt5.version())
terminal = mt5.terminal_info()
print(terminal.name, terminal.connected, terminal.trade_allowed, terminal.build)

authorized = mt5.login(25115284, password="ehj4bh", server="MetaQuotes-Demo")
if authorized:
    print("connected to account #{}".format(mt5.account_info().login))
else:
    print("failed to connect, error code: {}".format(mt5.last_error()))

authorized = mt5.login(1, password="wrong")
if not authorized:
    print("failed to connect, error code: {}".format(mt5.last_error()))

print(mt5.shutdown())
print(mt5.account_info(), mt5.last_error())

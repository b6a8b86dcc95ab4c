import MetaTrader5 as mt5
import pandas as pd

if not mt5.initialize(login=25115284, server="MetaQuotes-Demo", password="ehj4bh"):
    print("initialize() failed, error code =", mt5.last_error())
    quit()

account_info = mt5.account_info()
if account_info is not None:
    account_info_dict = account_info._asdict()
    for prop in account_info_dict:
        print("  {}={}".format(prop, account_info_dict[prop]))
    df = pd.DataFrame(list(account_info_dict.items()), columns=["property", "value"])
    print("rows:", len(df))

for prop, value in mt5.terminal_info()._asdict().items():
    print("  {}={}".format(prop, value))
mt5.shutdown()

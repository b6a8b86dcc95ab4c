import MetaTrader5 as mt5
import pandas as pd

if not mt5.initialize():
    print("initialize() failed, error code =", mt5.last_error())
    quit()

print("Total positions =", mt5.positions_total())
for symbol in ("USDCHF", "EURUSD"):
    mt5.Buy(symbol, 0.1)
mt5.Sell("EURUSD", 0.2)

positions = mt5.positions_get(symbol="USDCHF")
if positions is None:
    print("No positions on USDCHF, error code={}".format(mt5.last_error()))
elif len(positions) > 0:
    print("Total positions on USDCHF =", len(positions))

usd_positions = mt5.positions_get(group="*USD*")
print("positions_get(group=\"*USD*\")={}".format(len(usd_positions)))
df = pd.DataFrame(list(usd_positions), columns=usd_positions[0]._asdict().keys())
df["time"] = pd.to_datetime(df["time"], unit="s")
df = df.drop(["time_update", "time_msc", "time_update_msc", "external_id"], axis=1)
print(df[["symbol", "type", "volume"]].values.tolist())
print(mt5.Close("EURUSD"), mt5.positions_total())
mt5.shutdown()

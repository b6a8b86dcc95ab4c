from datetime import datetime, timezone

import MetaTrader5 as mt5
import pandas as pd

if not mt5.initialize():
    print("initialize() failed, error code =", mt5.last_error())
    quit()

utc_from = datetime(2026, 1, 20, tzinfo=timezone.utc)
rates = mt5.copy_rates_from("EURUSD", mt5.TIMEFRAME_H4, utc_from, 10)
for rate in rates[:1]:
    print(len(rate), rate.dtype.names)
rates_frame = pd.DataFrame(rates)
rates_frame["time"] = pd.to_datetime(rates_frame["time"], unit="s")
print("from:", len(rates_frame), rates_frame["time"].iloc[-1])

rates = mt5.copy_rates_from_pos("GBPUSD", mt5.TIMEFRAME_D1, 0, 10)
rates_frame = pd.DataFrame(rates)
rates_frame["time"] = pd.to_datetime(rates_frame["time"], unit="s")
print("pos:", len(rates_frame), rates_frame["time"].is_monotonic_increasing)

utc_to = datetime(2026, 1, 20, hour=13, tzinfo=timezone.utc)
rates = mt5.copy_rates_range("USDJPY", mt5.TIMEFRAME_H1, utc_from, utc_to)
rates_frame = pd.DataFrame(rates)
rates_frame["time"] = pd.to_datetime(rates_frame["time"], unit="s")
print("range:", len(rates_frame), rates_frame["time"].iloc[0], rates_frame["time"].iloc[-1])
print("sound:", bool((rates_frame["low"] <= rates_frame["high"]).all()))

print(mt5.copy_rates_from_pos("NOSUCH", mt5.TIMEFRAME_D1, 0, 10), mt5.last_error())
mt5.shutdown()

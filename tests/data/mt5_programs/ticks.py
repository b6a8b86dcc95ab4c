from datetime import datetime, timezone

import MetaTrader5 as mt5
import pandas as pd

if not mt5.initialize():
    print("initialize() failed, error code =", mt5.last_error())
    quit()

utc_from = datetime(2026, 1, 20, tzinfo=timezone.utc)
ticks = mt5.copy_ticks_from("EURUSD", utc_from, 100000, mt5.COPY_TICKS_ALL)
print("Ticks received:", len(ticks))
ticks_frame = pd.DataFrame(ticks)
ticks_frame["time"] = pd.to_datetime(ticks_frame["time"], unit="s")
print(list(ticks_frame.columns))

utc_to = datetime(2026, 1, 21, tzinfo=timezone.utc)
ticks = mt5.copy_ticks_range("GBPUSD", utc_from, utc_to, mt5.COPY_TICKS_ALL)
print("Ticks of a day:", len(ticks))
for tick in ticks[:1]:
    print(tick["time"] == utc_from.timestamp(), tick["bid"] < tick["ask"])

ticks = mt5.copy_ticks_range("EURUSD", 1, 2, mt5.COPY_TICKS_ALL)
print("none:", len(ticks), mt5.last_error())
mt5.shutdown()

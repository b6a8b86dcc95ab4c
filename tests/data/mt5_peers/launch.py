"""Run a program in a process whose MetaTrader5 is the simulated module.

    python launch.py FOLDER PROGRAM

FOLDER has the packages that PROGRAM imports. The market has eleven days behind it.
"""

import runpy
import sys
from datetime import UTC, datetime

import runner.adapters.mt5_simulator as twin
from runner.adapters.feeds.synthetic import SyntheticFeed
from runner.core.market import Timeframe

SYMBOLS = ("EURUSD", "GBPUSD", "USDJPY")

folder, program = sys.argv[1:]
sys.path.insert(0, folder)
sys.modules["MetaTrader5"] = twin

twin.terminal.reset(
    login=25115284, password="ehj4bh", server="MetaQuotes-Demo", balance=100_000.0
)
feed = SyntheticFeed(
    SYMBOLS, timeframe=Timeframe.M30, start=datetime(2026, 1, 10, tzinfo=UTC)
)
driver = twin.drive(twin.terminal, feed)
driver.advance_to(datetime(2026, 1, 21, 12, tzinfo=UTC))
sys.argv = [program]
runpy.run_path(program, run_name="__main__")

import sys

if "runner" in sys.modules:
    sys.exit("run me as a program")

"""A twin of the MetaTrader5 module over a simulated terminal."""

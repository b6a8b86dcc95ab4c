"""Pure decisions over frozen values: no clock, no log, no file, no random source."""

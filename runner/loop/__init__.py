"""The live loop: moves values between ports, host and core, and owns the safe point."""

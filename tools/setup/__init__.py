"""The set-up of a machine: each step, browsers, the emulators of AWS."""

"""An operator's commands: keys, migrations, sweeps, the rotation of encryption keys, a check."""

#!/bin/sh
# Save Kizuna's data beside it, in backups/, and delete what was saved there more than fourteen days ago.
set -eu
folder=${DATA%/*}/backups
mkdir -p "$folder"
.venv/bin/python -m backend.backup "$DATA" "$folder/$(date -u +%Y-%m-%dT%H%M%SZ).sqlite3"
find "$folder" -name '*.sqlite3' -mtime +14 -delete

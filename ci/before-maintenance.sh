#!/bin/sh
# Before a maintenance window: check, keep the reports, and say it loudly where the upgrade is not ready.
#
#   # /etc/cron.d/greenlight: from three days before the window on, each morning at six
#   0 6 * * * greenlight /opt/greenlight/before-maintenance.sh /var/lib/greenlight --deployment upgrade-main
#
# The first argument is the folder for the reports, all others go to `greenlight check`. Credentials come from the instance's
# role; what it may do: `greenlight iam-policy --for check`. Each run is compared with the one before, so that what is new
# stands out. GREENLIGHT_NOTIFY names a program that gets the Markdown report on stdin and the exit code as its argument.
set -eu
umask 077

folder=${1:?usage: before-maintenance.sh FOLDER --deployment NAME ...}
shift
greenlight=${GREENLIGHT:-greenlight}
mkdir -p "$folder"
# The process id keeps two runs of one second apart.
now=$(date -u +%Y-%m-%dT%H%M%SZ)-$$
last=$folder/last.json

if [ -f "$last" ]; then
    set -- "$@" --baseline "$last"
fi
code=0
"$greenlight" check "$@" \
    -o "json=$folder/$now.json" -o "html=$folder/$now.html" -o "markdown=$folder/$now.md" || code=$?

# Only a report that was written can be the next one's baseline: a run that saw nothing leaves the old one.
if [ -f "$folder/$now.json" ]; then
    cp "$folder/$now.json" "$last.new" && mv "$last.new" "$last"
fi
if [ "$code" -ne 0 ] && [ -n "${GREENLIGHT_NOTIFY:-}" ]; then
    if [ -f "$folder/$now.md" ]; then
        "$GREENLIGHT_NOTIFY" "$code" < "$folder/$now.md"
    else
        echo "greenlight could not look at all (exit code $code)" | "$GREENLIGHT_NOTIFY" "$code"
    fi
fi
# Reports are evidence: three months of them are kept.
find "$folder" -name "20*Z-*.*" -type f -mtime +90 -delete
exit "$code"

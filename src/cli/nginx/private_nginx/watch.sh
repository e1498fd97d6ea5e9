# $1 is the folder, the rest starts nginx. Standard input is a pipe whose other end only shakedown holds: a line on it ends
# nginx; its end without a line says that shakedown is gone, however that came about, and then the folder goes as well.
folder=$1
shift
exec 3<&0
"$@" </dev/null >/dev/null 2>"$folder/said" 3<&- &
nginx=$!
(
    left=yes
    read -r _ <&3 && left=no
    runs() { [ -d "$folder" ] && [ ! -e "$folder/ended" ]; }
    if runs; then
        kill -TERM "$nginx"
        tries=0
        while runs && [ "$tries" -lt 100 ]; do
            sleep 0.05 || sleep 1
            tries=$((tries + 1))
        done
        stuck=no
        runs && stuck=yes
    fi
    [ "$left" = yes ] && rm -rf -- "$folder"
    # The whole group of processes, this one last of all.
    [ "$stuck" = yes ] && kill -KILL 0
) >/dev/null 2>&1 &
exec 3<&- 0</dev/null
wait "$nginx"
status=$?
: >"$folder/ended"
exit "$status"

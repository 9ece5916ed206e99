import { shellQuote } from "./tool.ts";

/**
 * A modprobe that needs no /lib/modules: it greps `index`, whose files are below `base`.
 *
 * The kernel also calls it, with aliases such as `rtnl-link-vxlan`.
 */
export function modprobeScript(busybox: string, index: string, base: string): string {
  return `#!${busybox} sh
# modprobe [-q] NAME [PARAMETER=VALUE…], modprobe -a NAME…, modprobe -r NAME…
quiet= mode=load
while :; do
  case "$1" in
    -a|--all) mode=all ;; -r|--remove) mode=remove ;; -q|--quiet|-s|-v|-b) quiet=1 ;;
    --) shift; break ;;
    -*) echo "modprobe: unknown option $1" >&2; exit 1 ;;
    *) break ;;
  esac
  shift
done
[ $# -gt 0 ] || { echo "modprobe: which module?" >&2; exit 1; }
load() {
  name=$1; shift
  line=$(grep -m 1 -e "^$name\\( \\|$\\)" -e "^\${name//-/_}\\( \\|$\\)" ${shellQuote(index)}) || {
    [ -n "$quiet" ] || echo "modprobe: module $name not found" >&2
    return 1
  }
  last=\${line##* }
  for file in \${line#"\${line%% *}"}; do
    loaded=\${file##*/}; loaded=\${loaded%%.*}
    [ ! -e "/sys/module/\${loaded//-/_}/holders" ] || continue
    if [ "$file" = "$last" ]; then insmod ${shellQuote(base)}/"$file" "$@" || return 1
    else insmod ${shellQuote(base)}/"$file" || return 1; fi
  done
}
case $mode in
  load) load "$@" ;;
  all) for name; do load "$name" || exit 1; done ;;
  remove) for name; do rmmod "\${name//-/_}" || exit 1; done ;;
esac
`;
}

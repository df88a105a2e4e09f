#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# vm.sh - runs a command as root in a virtual machine that has software RDMA devices (Soft-RoCE)
#
#     vm.sh [-d FOLDER] [-t SECONDS] [-m MEGABYTES] [-v] -- COMMAND [ARGUMENT...]
#
# The machine boots a stock Debian kernel in QEMU. Its root is this machine's root, read-only under an overlay in memory,
# so that every program and library is there; FOLDER (default: the current one) is shared for writing, at the same path,
# and is the command's folder. The devices rxe0 (10.99.0.1) and rxe1 (10.99.0.2) are the two ends of a veth pair, and
# packets between them cross it, so that tc netem can lose and delay them. The verbs, librdmacm and memory registration
# in there are the real ones.
#
# Exit status: the command's; 124: the time is up; 125: the rig broke (the end of the console goes to stderr); 77: this
# machine cannot run it, with the reason on stderr.
#
# The kernel is the newest under RDMA_VM_KERNEL (a folder as packaging/rdma.sh makes it) that has rdma_rxe and 9p, or
# else of this machine. Without hardware virtualisation QEMU emulates the processor: slow, and no base for times, but
# ratios between two programs inside mean something.
set -u
PATH=$PATH:/usr/sbin:/sbin

die() {
    echo "vm.sh: $*" >&2
    exit 125
}
cannot() {
    echo "vm.sh: $*" >&2
    exit 77
}
usage() {
    sed -n 5p "$0" >&2
    exit 125
}

folder=$PWD limit=300 memory=1024 verbose=0
while getopts d:t:m:v option; do
    case $option in
    d) folder=$OPTARG ;;
    t) limit=$OPTARG ;;
    m) memory=$OPTARG ;;
    v) verbose=1 ;;
    *) usage ;;
    esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || usage
began=$(date +%s.%N)
self=$(realpath -e -- "$0")
folder=$(realpath -e -- "$folder") && [ -d "$folder" ] || die "no such folder: $folder"
case $folder in
*[[:space:],]*) die "FOLDER may hold neither spaces nor commas: $folder" ;;
esac
[ "$(uname -m)" = x86_64 ] || cannot "needs an x86_64 machine"
for tool in qemu-system-x86_64 xz depmod modprobe ip rdma; do
    command -v $tool >/dev/null || cannot "no $tool: run packaging/rdma.sh"
done
busybox=$(command -v busybox) && ! ldd "$busybox" >/dev/null 2>&1 ||
    cannot "no static busybox (package busybox-static): run packaging/rdma.sh"

# KVM only with hardware virtualisation: a /dev/kvm without it is of no use for a stock kernel.
if [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo; then
    processor="-accel kvm -cpu host"
else
    processor="-accel tcg,thread=multi -cpu Nehalem,+rdrand"
fi

# --- the kernel ---

root=$(realpath -m -- "${RDMA_VM_KERNEL:-/}")
root=${root%/}
version=
for candidate in $(ls -d "$root"/lib/modules/*/ 2>/dev/null | sort -V); do
    name=$(basename "$candidate")
    [ -r "$root/boot/vmlinuz-$name" ] && compgen -G "$candidate/kernel/drivers/infiniband/sw/rxe/rdma_rxe.ko*" >/dev/null &&
        compgen -G "$candidate/kernel/fs/9p/9p.ko*" >/dev/null && version=$name
done
[ -n "$version" ] || cannot "no kernel with rdma_rxe and 9p under ${root:-/}: run packaging/rdma.sh"
modules=$root/lib/modules/$version
[ -e "$modules/modules.dep.bin" ] || depmod -b "${root:-/}" "$version" || die "depmod -b ${root:-/} $version failed"

run=$(mktemp -d "${TMPDIR:-/tmp}/mrpc-vm.XXXXXX") || die "mktemp failed"
qemu=
clean_up() {
    [ -n "$qemu" ] && kill "$qemu" 2>/dev/null && wait "$qemu"
    rm -rf "$run"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Two things are kept: the kernel decompressed, which would take the guest seconds, and the initial file system.
cache=${RDMA_VM_KERNEL:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/mrpc-vm}/cache-$version
mkdir -p "$cache" || die "cannot make $cache"

unpack_kernel() {
    image=$root/boot/vmlinuz-$version
    offset=$(LC_ALL=C grep -abom1 $'\xfd7zXZ' "$image" | head -n 1 | cut -d: -f1)
    tail -c +$((${offset:-0} + 1)) "$image" | xz -dc >"$run/vmlinux" 2>/dev/null # status 1: bytes follow the stream
    [ "$(head -c 4 "$run/vmlinux")" = $'\x7fELF' ] || cp "$image" "$run/vmlinux"
    touch "$run/vmlinux" && mv "$run/vmlinux" "$cache/vmlinux"
}

needed_modules() {
    for module in virtio_pci 9pnet_virtio 9p overlay; do
        modprobe -d "${root:-/}" -S "$version" --show-depends $module || echo insmod "/missing-$module"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

make_initrd() {
    tree=$run/tree number=10
    mkdir -p "$tree"/{bin,mods,proc,sys,dev,new,lower,upper} && cp "$busybox" "$tree/bin/busybox" || return 1
    for file in $(needed_modules); do
        case $file in
        *.xz) xz -dc "$file" ;;
        *) cat "$file" ;;
        esac >"$tree/mods/$number.ko" || die "kernel module $file"
        number=$((number + 1))
    done
    cat >"$tree/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
for m in /mods/*; do insmod $m || echo "vm.sh: insmod $m failed"; done
o=trans=virtio,version=9p2000.L,msize=262144
mount -t 9p -o ro,cache=loose,$o root /lower && mount -t tmpfs t /upper && mkdir /upper/u /upper/w &&
    mount -t overlay -o lowerdir=/lower,upperdir=/upper/u,workdir=/upper/w o /new || echo "vm.sh: no root"
for d in proc sys dev tmp run; do mkdir -p /new/$d; done; chmod 1777 /new/tmp
mount -t tmpfs -o mode=755 t /new/run; mkdir /new/run/vm
mount -t 9p -o cache=none,$o control /new/run/vm
d=$(cat /new/run/vm/folder); mkdir -p "/new$d"; mount -t 9p -o cache=mmap,$o share "/new$d"
v=$(uname -r); mkdir -p /new/usr/lib/modules/$v; mount --bind "/lower$(cat /new/run/vm/modules)" /new/usr/lib/modules/$v
for d in proc sys dev; do mount --move /$d /new/$d; done
cp /bin/busybox /new/run/busybox
exec switch_root /new /bin/bash /run/vm/stage2
INIT
    chmod 755 "$tree/init"
    (cd "$tree" && find . | "$busybox" cpio -o -H newc 2>/dev/null) >"$run/initrd" && mv "$run/initrd" "$cache/initrd"
}

[ "$cache/vmlinux" -nt "$root/boot/vmlinuz-$version" ] || unpack_kernel || die "cannot unpack the kernel"
{ [ "$cache/initrd" -nt "$self" ] && [ "$cache/initrd" -nt "$cache/vmlinux" ]; } || make_initrd ||
    die "cannot make the initial file system"

# --- what process 1 of the machine does after the initial file system: devices, the command, its status, reset ---

mkdir "$run/control" && cd "$run/control" || die "cannot write to $run"
echo "$folder" >folder
echo "$modules" >modules
: >out
: >err
export -p >environment
{
    printf '. /run/vm/environment; cd %q || exit 125; exec' "$folder"
    printf ' %q' "$@"
    echo
} >command
cat >stage2 <<'STAGE2'
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
b=/run/busybox v=/run/vm
$b mkdir -p /dev/pts /dev/shm; $b mount -t devpts d /dev/pts; $b mount -t tmpfs -o mode=1777 t /dev/shm
$b ln -s /proc/self/fd /dev/fd; for i in 0:in 1:out 2:err; do $b ln -s fd/${i%:*} /dev/std${i#*:}; done
ulimit -l unlimited; ulimit -n 65536; echo 65536 >/proc/sys/net/core/somaxconn
# Both ends are in one network namespace, where rxe has to be; the rules make packets cross the wire all the same.
wire() {
    ip link add v0 address 02:00:00:63:00:01 mtu 5000 type veth peer name v1 address 02:00:00:63:00:02 mtu 5000
    ip rule add pref 9 lookup local && ip rule del pref 0
    echo 1 >/proc/sys/net/ipv4/conf/all/accept_local
    for i in 0 1; do
        own=10.99.0.$((i + 1)) other=10.99.0.$((2 - i))
        echo 0 >/proc/sys/net/ipv4/conf/v$i/rp_filter
        ip addr add $own/24 dev v$i && ip link set v$i up &&
            ip neigh add $other lladdr 02:00:00:63:00:0$((2 - i)) dev v$i nud permanent &&
            ip route add $other dev v$i src $own table 1$i && ip rule add pref 5 from $own to $own lookup local &&
            ip rule add pref 6 iif lo to $other lookup 1$i || return 1
    done
}
devices() {
    modprobe -a rdma_rxe rdma_ucm veth && wire && rdma link add rxe0 type rxe netdev v0 &&
        rdma link add rxe1 type rxe netdev v1
}
if ip link set lo up && devices >/dev/ttyS0 2>&1; then
    $b mkfifo /run/o /run/e; $b cat </run/o >>$v/out & o=$!; $b cat </run/e >>$v/err & e=$!
    : >$v/started
    /bin/bash $v/command </dev/null >/run/o 2>/run/e; status=$?
    for i in {1..20}; do kill -0 $o 2>&- || kill -0 $e 2>&- || break; $b sleep 0.1; done # the output is on its way
    echo $status >$v/status
else
    echo "vm.sh: the devices could not be set up" >/dev/ttyS0
fi
$b sync; echo b >/proc/sysrq-trigger; $b sleep 9
STAGE2

shared() {
    echo "-fsdev local,id=$1,path=$2,security_model=none,multidevs=remap$3 -device virtio-9p-pci,fsdev=$1,mount_tag=$1"
}
timeout -k 5 "$limit" qemu-system-x86_64 $processor -smp 2 -m "$memory" -nodefaults -no-user-config -display none -no-reboot \
    -serial "file:$run/console" -kernel "$cache/vmlinux" -initrd "$cache/initrd" \
    -append "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off nokaslr tsc=reliable" \
    $(shared root / ,readonly=on) $(shared control "$run/control" "") $(shared share "$folder" "") \
    </dev/null >"$run/qemu" 2>&1 &
qemu=$!
tail -s 0.1 -c +1 -f --pid=$qemu out &
tail -s 0.1 -c +1 -f --pid=$qemu err >&2 &
wait $qemu
ended=$?
qemu=
wait
[ $verbose = 0 ] || awk -v began="$began" -v started="$(stat -c %.9Y started 2>&-)" -v ended="$(date +%s.%N)" \
    -v what="$version, ${processor%% -cpu*}" 'BEGIN { printf "vm.sh: %s: the command began after %.1f s, all took %.1f s\n",
        what, (started ? started - began : -1), ended - began }' >&2
[ -s status ] && exit "$(cat status)"
status=125
[ $ended != 124 ] && [ $ended != 137 ] || status=124
[ $status = 124 ] && echo "vm.sh: the time of $limit s is up" >&2 || echo "vm.sh: the machine ended without a status ($ended)" >&2
tail -n 40 "$run/console" "$run/qemu" >&2
exit $status

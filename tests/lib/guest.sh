# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Words for scenarios with real guests: QEMU without KVM, Debian's cloud kernel, and tests/lib/guest-init as all there is in the
# guest.  Sourced after scenario.sh.  Skips where a program or the kernel is missing.  A guest boots in some 2 s.
#
#   vhost NAME [KEYS]                    the line of a fabric's file for a guest's port on $T/NAME.sock
#   guest_start NAME IPV4 [WORD...]      boots a guest on $T/NAME.sock; its eth0 is IPV4/24, with a MAC made of that.  A WORD is
#                                        server (QEMU makes the socket, vfabd connects), queues=N (and as many CPUs), or
#                                        a property of virtio-net-pci, such as packed=on
#   guest_ready NAME                     until it has its address; again after guest_reboot.  As quick as it boots, at most 30 s
#   guest_run NAME COMMAND [SECONDS]     runs a shell command in it (busybox, iperf3, ethtool); its output and exit status.
#                                        124: no answer; 137: killed in the guest after SECONDS, 10 without that
#   guest_reboot NAME                    the reset button
#   guest_stop NAME                      QEMU ends as it likes to, and disconnects
#   guest_kill NAME                      kill -9 of QEMU
#   no_offloads                          the words for a guest without checksum or segmentation offload
#
# The kernel speaks on the first serial port, to $T/NAME.console.  Orders and answers go over the second, a pair of FIFOs
# that are only open while somebody speaks: QEMU keeps them alive.
#
# vectors=0, an interrupt line: with MSI-X and without KVM, QEMU 7.2 crashes when the driver starts a vhost-user device, where it
# hands the interrupts to KVM (below msix_set_vector_notifiers).

declare -A GUESTS=()

for program in qemu-system-x86_64 busybox iperf3 ethtool; do
	command -v $program >/dev/null || skip "needs $program"
done
unset program
GUEST_KERNEL=$("$ROOT/tests/lib/guest-kernel.sh") || skip "needs the package linux-image-cloud-amd64 or the network"

no_offloads()
{
	local word

	for word in {,guest_}csum {guest,host}_{tso4,tso6,ecn,ufo} gso; do
		echo "$word=off"
	done
}

vhost()
{
	echo "  $1: {vhost-user: $T/$1.sock${2:+, $2}}"
}

# guest_program FILE: into the image, with the libraries it is linked to.
guest_program()
{
	local file

	cp -L "$1" "$T/image/bin/"
	while read -r file; do
		cp -L --parents "$file" "$T/image/"
	done < <(ldd "$1" 2>/dev/null | grep -o '/[^ ]*')
}

guest_image()
{
	local name

	[ ! -e "$T/initrd" ] || return 0
	mkdir -p "$T/image/bin" "$T/image/dev" "$T/image/proc" "$T/image/sys" "$T/image/tmp" "$T/image/lib"
	cp -r "$GUEST_KERNEL/modules" "$T/image/lib/modules"
	cp "$ROOT/tests/lib/guest-init" "$T/image/init"
	for name in busybox iperf3 ethtool; do
		guest_program "$(command -v $name)"
	done
	for name in $(busybox --list); do
		[ -e "$T/image/bin/$name" ] || ln -s busybox "$T/image/bin/$name"
	done
	(cd "$T/image" && find . | busybox cpio -o -H newc) >"$T/initrd" 2>/dev/null
	rm -r "$T/image"
}

guest_start()
{
	local name=$1 ip=$2 chardev="reconnect=1" queues=1 properties word fifo
	shift 2

	echo "guest $name $ip $*" >&2
	guest_image
	# shellcheck disable=SC2086 # four numbers
	properties="mac=$(printf '02:00:%02x:%02x:%02x:%02x' ${ip//./ })"
	for word; do
		case $word in
		server) chardev="server=on,wait=off" ;;
		queues=*) queues=${word#*=} ;;
		*) properties+=,$word ;;
		esac
	done
	[ "$queues" = 1 ] || properties+=",mq=on"
	for fifo in serial.in serial.out qmp.in qmp.out; do
		rm -f "$T/$name.$fifo"
		mkfifo "$T/$name.$fifo"
	done
	qemu-system-x86_64 -machine q35,memory-backend=memory -accel tcg -cpu max -smp "$queues" -m 256M -no-user-config -nodefaults \
		-display none -object memory-backend-memfd,id=memory,size=256M,share=on \
		-kernel "$GUEST_KERNEL/vmlinuz" -initrd "$T/initrd" \
		-append "quiet console=ttyS0 ipv6.disable=1 mitigations=off no_timer_check nokaslr vfab.ip=$ip/24" \
		-serial "file:$T/$name.console" -chardev "pipe,id=orders,path=$T/$name.serial" -serial chardev:orders \
		-chardev "pipe,id=qmp,path=$T/$name.qmp" -mon chardev=qmp,mode=control \
		-chardev "socket,id=port,path=$T/$name.sock,$chardev" -netdev "vhost-user,id=net,chardev=port,queues=$queues" \
		-device "virtio-net-pci,netdev=net,vectors=0,$properties" >>"$T/background.log" 2>&1 </dev/null &
	GUESTS[$name]=$!
	defer guest_kill "$name"
}

# guest_hears NAME SECONDS END: prints what it says from now on, until a line that begins with END; that line is in HEARD.
guest_hears()
{
	local name=$1 until=$((EPOCHSECONDS + $2 * SLOW)) end=$3

	while IFS= read -r -t $((until > EPOCHSECONDS ? until - EPOCHSECONDS : 1)) HEARD; do
		case $HEARD in
		"$end"*) return 0 ;;
		*'|'*) [ "${HEARD%%|*}" != "${end%=}" ] || printf '%s\n' "${HEARD#*|}" ;;
		esac
	done <>"$T/$name.serial.out"
	complain "guest $name does not answer; its console: $(tail -n 5 "$T/$name.console")"
}

guest_ready()
{
	guest_hears "$1" 30 "ready " || exit 1
	echo "guest $1 is up after ${HEARD#ready } s" >&2
}

guest_run()
{
	local name=$1 seconds=$((${3:-10} * SLOW)) id=${EPOCHREALTIME//[.,]/} HEARD

	echo "[$name] $2" >&2
	printf '%s %s %s\n' "$id" "$seconds" "$(base64 -w 0 <<<"$2")" 1<>"$T/$name.serial.in"
	guest_hears "$name" $((seconds + 5)) "$id=" || return 124
	return "${HEARD#*=}"
}

# Capabilities are to be asked for first; a second time that is an error that nobody minds.
guest_qmp()
{
	local id=${EPOCHREALTIME//[.,]/} line

	printf '{"execute": "%s", "id": "%s"}\n' qmp_capabilities first "$2" "$id" 1<>"$T/$1.qmp.in"
	while IFS= read -r -t 5 line; do
		case $line in
		*'"return"'*"$id"* | *"$id"*'"return"'*) return 0 ;;
		esac
	done <>"$T/$1.qmp.out"
	# One that was told to end may be gone before its answer is out.
	[ "$2" != quit ] || return 0
	complain "QEMU of guest $1 does not answer to $2"
}

guest_reboot()
{
	echo "guest $1 is reset" >&2
	guest_qmp "$1" system_reset
}

guest_stop()
{
	echo "guest $1 ends" >&2
	guest_qmp "$1" quit
	wait_for 5 process_gone "${GUESTS[$1]}"
	guest_kill "$1"
}

guest_kill()
{
	local pid=${GUESTS[$1]:-}

	[ -n "$pid" ] || return 0
	unset "GUESTS[$1]"
	kill -9 "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
}

#!/bin/sh
# Installs minnow from a folder of releases: picks the archive for this machine, checks its sum,
# puts it below PREFIX and, where systemd runs the machine, sets up a service that knows its
# clients. What it does not know it refuses, before anything is changed. Called again it upgrades;
# configuration, users and data stay as they are.
set -eu

usage() {
	cat <<'END'
Usage: install.sh [flags] BASE

Installs minnow from BASE: an address (https://...) or a folder with SHA256SUMS and the archives
of a release. MINNOW_BASE_URL may say it instead.

    --no-service   the program only, no service of systemd
    --uninstall    take out what was installed; configuration, users and data stay
    --help         this text

    PREFIX=/usr/local    where the program goes: PREFIX/bin, PREFIX/lib/minnow, PREFIX/share
    DESTDIR=             where the system is mounted that it is installed into, if not at /
    MINNOW_VERSION=      which version, where BASE has several
    MINNOW_CPUINFO=/proc/cpuinfo

Exit codes: 0 done, 64 wrong command line, 65 the archive is not what it should be, 69 not for this
machine, not to be had, or not started, 73 cannot be written, 77 not allowed, 78 the configuration
does not fit the new version.
END
}

# As in sysexits.h, which minnow itself follows.
readonly USAGE=64 DATA=65 UNAVAILABLE=69 CANTCREATE=73 NOPERM=77 CONFIG=78

# A line each.
say() { printf '%s\n' "$@"; }

refuse() {
	code=$1
	shift
	printf 'install.sh: %s\n' "$*" >&2
	exit "$code"
}

has() { command -v "$1" > /dev/null 2>&1; }

# ---- which archive

# Whether the processor says one of these words about itself, in lines that begin with $1.
processor_has() {
	[ -r "$cpuinfo" ] || refuse $UNAVAILABLE "cannot read $cpuinfo, to see what the processor can do"
	grep -E "^$1[[:space:]]*:" "$cpuinfo" | grep -qw "$2"
}

# glibc or musl, whichever has its loader ($1, $2) in the system; where both have, what ldd is of.
find_libc() {
	if [ -e "$DESTDIR$1" ] && [ -e "$DESTDIR$2" ]; then
		if ldd --version 2>&1 | grep -qi musl; then libc=musl; else libc=glibc; fi
	elif [ -e "$DESTDIR$1" ]; then
		libc=glibc
	elif [ -e "$DESTDIR$2" ]; then
		libc=musl
	else
		libc=none
	fi
}

# What programs for musl need beside it.
need_musl_libraries() {
	for library in libstdc++.so.6 libgcc_s.so.1; do
		[ -e "$DESTDIR/usr/lib/$library" ] || [ -e "$DESTDIR/lib/$library" ] ||
			refuse $UNAVAILABLE "there is no $library, which minnow needs with musl;" \
				"install it (Alpine: apk add libstdc++)"
	done
}

unknown_libc() {
	refuse $UNAVAILABLE "neither $1 (glibc) nor $2 (musl) is there:" \
		"minnow has no program for this C library"
}

target_for_x64() {
	find_libc /lib64/ld-linux-x86-64.so.2 /lib/ld-musl-x86_64.so.1
	target=linux-x64
	case $libc in
	musl) target=linux-x64-musl ;;
	none) unknown_libc /lib64/ld-linux-x86-64.so.2 /lib/ld-musl-x86_64.so.1 ;;
	esac
	processor_has flags avx2 || target=$target-baseline
}

target_for_arm64() {
	find_libc /lib/ld-linux-aarch64.so.1 /lib/ld-musl-aarch64.so.1
	case $libc in
	glibc) target=linux-arm64 ;;
	musl) target=linux-arm64-musl ;;
	none)
		# A 64-bit kernel below a 32-bit system, as on many a Raspberry Pi.
		[ -e "$DESTDIR/lib/ld-linux-armhf.so.3" ] || [ -e "$DESTDIR/lib/ld-musl-armhf.so.1" ] ||
			unknown_libc /lib/ld-linux-aarch64.so.1 /lib/ld-musl-aarch64.so.1
		target=linux-armv7
		;;
	esac
}

# It brings a C library of its own, but wants all 32 registers of VFPv3.
target_for_armv7() {
	target=linux-armv7
	if ! processor_has Features vfpv3 || processor_has Features vfpv3d16; then
		refuse $UNAVAILABLE "this processor has no VFPv3 with 32 registers," \
			"which minnow needs on 32-bit ARM"
	fi
}

find_target() {
	system=$(uname -s)
	[ "$system" = Linux ] || refuse $UNAVAILABLE "this is $system; install.sh knows Linux only"
	[ ! -e "$DESTDIR/etc/openwrt_release" ] ||
		refuse $UNAVAILABLE "this is OpenWrt, for which there are packages; see docs/INSTALL.md"
	machine=$(uname -m)
	case $machine in
	x86_64 | amd64) target_for_x64 ;;
	aarch64 | arm64) target_for_arm64 ;;
	armv7* | armv8l) target_for_armv7 ;;
	*)
		refuse $UNAVAILABLE "minnow is not built for $machine;" \
			"it is for x86_64, aarch64 and armv7 with VFPv3"
		;;
	esac
	case $target in *musl*) need_musl_libraries ;; esac
}

# ---- bringing it

need_tools() {
	for tool in awk chmod cp grep ln mkdir mktemp mv rm sed sha256sum tar xz; do
		has "$tool" || refuse $UNAVAILABLE "there is no $tool here, which install.sh needs"
	done
	case $base in
	http://* | https://*)
		has curl || has wget || refuse $UNAVAILABLE "there is neither curl nor wget here"
		;;
	esac
}

# Brings BASE/$1 to $2. A program that is sent to https goes nowhere else.
fetch() {
	case $base in
	http://* | https://*)
		if has curl; then
			case $base in https:*) only='=https' ;; *) only='=http,https' ;; esac
			curl --fail --silent --show-error --location --proto "$only" --output "$2" "$base/$1"
		else
			wget -q -O "$2" "$base/$1"
		fi
		;;
	*) cp "$base/$1" "$2" ;;
	esac || refuse $UNAVAILABLE "could not get $base/$1"
}

# The name of the one archive for the target that SHA256SUMS has.
find_archive() {
	version=${MINNOW_VERSION:-}
	found=$(awk -v end="-$target.tar.xz" -v version="$version" '
		function known(name) {
			if (name !~ /^minnow-[0-9][0-9A-Za-z.+~-]*$/) return 0
			at = length(name) - length(end) + 1
			if (at < 1 || substr(name, at) != end) return 0
			number = substr(name, 8, at - 8)
			return version == "" || number == version
		}
		{ sub(/^\*/, "", $2) }
		length($1) == 64 && known($2) { print $2 }
	' "$work/SHA256SUMS")
	case $found in
	'') refuse $UNAVAILABLE "$base has no minnow ${version:+$version }for $target" ;;
	*[[:space:]]*) refuse $USAGE "$base has several, set MINNOW_VERSION:" "$found" ;;
	esac
	archive=$found
}

check_sum() {
	awk -v name="$archive" '{ sub(/^\*/, "", $2) } $2 == name { print $1 "  " name }' \
		"$work/SHA256SUMS" > "$work/sum"
	(cd "$work" && sha256sum -c sum > /dev/null 2>&1) ||
		refuse $DATA "$archive is not the file that SHA256SUMS describes; nothing was installed"
}

# Unpacks where it will stay: what is put in place later is only renamed.
unpack() {
	may_not="may not write below $prefix; call it as root, or with another PREFIX"
	mkdir -p "$prefix/bin" "$prefix/lib" "$prefix/share/doc" 2> /dev/null || refuse $NOPERM "$may_not"
	stage=$(mktemp -d "$prefix/lib/.minnow.XXXXXX" 2> /dev/null) || refuse $NOPERM "$may_not"
	chmod 755 "$stage"
	xz -dc "$work/$archive" | tar -xf - -C "$stage" ||
		refuse $CANTCREATE "could not unpack $archive below $prefix; is there room?"
	tree=$stage/${archive%.tar.xz}
	"$tree/minnow" version > "$work/version" 2>&1 ||
		refuse $UNAVAILABLE "the program for $target does not run here:" "$(cat "$work/version")"
}

# ---- putting it in place

# An upgrade that would not start is none.
check_configuration() {
	[ -z "$DESTDIR" ] && [ -e "$etc/minnow.toml" ] || return 0
	"$tree/minnow" check-config --config "$etc/minnow.toml" > /dev/null ||
		refuse $CONFIG "$etc/minnow.toml does not fit the new version; nothing was changed"
}

put_program() {
	if [ -d "$tree/program" ]; then
		[ ! -d "$prefix/lib/minnow" ] || mv "$prefix/lib/minnow" "$stage/old"
		mkdir "$stage/new"
		mv "$tree/minnow" "$tree/lib" "$tree/program" "$stage/new"
		mv "$stage/new" "$prefix/lib/minnow"
		ln -s ../lib/minnow/minnow "$stage/link"
		mv -f "$stage/link" "$prefix/bin/minnow"
	else
		mv -f "$tree/minnow" "$prefix/bin/minnow"
		rm -rf "$prefix/lib/minnow"
	fi
	rm -rf "$stage/old"
	docs=$prefix/share/doc/minnow
	mkdir -p "$docs"
	for paper in README.md LICENSE THIRD-PARTY.txt sbom.cdx.json minnow.sample.toml; do
		[ ! -e "$tree/$paper" ] || cp "$tree/$paper" "$docs/$paper"
	done
}

has_systemd() {
	if [ -n "$DESTDIR" ]; then
		[ -e "$DESTDIR/usr/lib/systemd/systemd" ] || [ -e "$DESTDIR/lib/systemd/systemd" ]
	else
		[ -d /run/systemd/system ] && has systemctl
	fi
}

# Whether there is to be a service, and nothing is in its way.
find_service() {
	has_systemd || service=no
	[ "$service" = yes ] || return 0
	[ "$(id -u)" = 0 ] || refuse $NOPERM "only root may set up a service;" \
		"--no-service and PREFIX=\$HOME/.local install the program for you alone"
	for folder in /usr/lib /lib; do
		[ ! -e "$DESTDIR$folder/systemd/system/minnow.service" ] ||
			refuse $UNAVAILABLE "minnow is installed by a package already; upgrade that, or remove it first"
	done
	case ${PREFIX:-} in
	/home/* | /root | /root/*)
		refuse $USAGE "a service cannot see what is below $PREFIX; take another PREFIX, or --no-service"
		;;
	esac
}

put_units() {
	mkdir -p "$units" "$sysusers" "$etc"
	sed "s|/usr/bin/minnow|${prefix#"$DESTDIR"}/bin/minnow|g" "$tree/systemd/minnow.service" \
		> "$units/minnow.service"
	cp "$tree/systemd/minnow.socket" "$units/minnow.socket"
	cp "$tree/systemd/minnow.sysusers" "$sysusers/minnow.conf"
	systemd-sysusers ${DESTDIR:+--root="$DESTDIR"} minnow.conf ||
		refuse $UNAVAILABLE "could not make the user minnow (systemd-sysusers)"
}

# The users come first: a configuration without them would let nobody in, and stay.
configure() {
	[ ! -e "$etc/minnow.toml" ] || return 0
	[ -e "$etc/passwords" ] || first_user
	cp "$tree/systemd/minnow.toml" "$etc/minnow.toml.new"
	mv "$etc/minnow.toml.new" "$etc/minnow.toml"
}

first_user() {
	group=$(awk -F: '$1 == "minnow" { print $3 }' "$DESTDIR/etc/group")
	: > "$etc/passwords"
	chmod 640 "$etc/passwords"
	if ! chown "0:${group:-minnow}" "$etc/passwords" ||
		! "$prefix/bin/minnow" passwd --init --file "$etc/passwords"; then
		rm -f "$etc/passwords"
		refuse $CANTCREATE "could not make the first user in $etc/passwords"
	fi
	say '' 'The token above lets admin in, and is shown this once. A user more:' \
		"minnow passwd --file ${etc#"$DESTDIR"}/passwords NAME, then systemctl reload minnow" ''
}

start_service() {
	if [ -n "$DESTDIR" ]; then
		systemctl --root="$DESTDIR" enable minnow.service
		return 0
	fi
	systemctl daemon-reload
	if [ "$upgrade" = yes ]; then
		systemctl try-restart minnow.service
	else
		systemctl enable minnow.service && systemctl start minnow.service
	fi || refuse $UNAVAILABLE "minnow is installed, but was not started: systemctl status minnow"
}

install_it() {
	find_target
	need_tools
	find_service
	work=$(mktemp -d "${TMPDIR:-/tmp}/minnow-install.XXXXXX")
	fetch SHA256SUMS "$work/SHA256SUMS"
	find_archive
	say "getting $archive"
	fetch "$archive" "$work/$archive"
	check_sum
	unpack
	[ "$service" = no ] || check_configuration
	upgrade=no
	[ ! -e "$units/minnow.service" ] || upgrade=yes
	put_program
	if [ "$service" = yes ]; then
		put_units
		configure
		start_service
	fi
	say "installed $(sed 1q "$work/version") to ${prefix#"$DESTDIR"}/bin/minnow"
}

uninstall() {
	if [ -e "$units/minnow.service" ]; then
		[ "$(id -u)" = 0 ] || refuse $NOPERM 'only root may take out the service'
		if [ -n "$DESTDIR" ]; then
			systemctl --root="$DESTDIR" disable minnow.service minnow.socket
		else
			systemctl disable --now minnow.service minnow.socket
		fi
		rm -f "$units/minnow.service" "$units/minnow.socket" "$sysusers/minnow.conf"
		[ -n "$DESTDIR" ] || systemctl daemon-reload
	fi
	rm -rf "$prefix/bin/minnow" "$prefix/lib/minnow" "$prefix/share/doc/minnow" ||
		refuse $NOPERM "may not take out what is below $prefix"
	say 'minnow is taken out; /etc/minnow, /var/lib/minnow and the user minnow stay, if there were any'
}

tidy_up() {
	[ -z "$work" ] || rm -rf "$work"
	[ -z "$stage" ] || rm -rf "$stage"
}

main() {
	umask 022
	DESTDIR=${DESTDIR:-}
	DESTDIR=${DESTDIR%/}
	prefix=$DESTDIR${PREFIX:-/usr/local}
	cpuinfo=${MINNOW_CPUINFO:-/proc/cpuinfo}
	units=$DESTDIR/etc/systemd/system
	sysusers=$DESTDIR/etc/sysusers.d
	etc=$DESTDIR/etc/minnow
	base=${MINNOW_BASE_URL:-}
	service=yes
	action=install_it
	work=''
	stage=''
	while [ $# -gt 0 ]; do
		case $1 in
		--no-service) service=no ;;
		--uninstall) action=uninstall ;;
		--help | -h) usage && exit 0 ;;
		-*) refuse $USAGE "$1 is no flag of install.sh; see install.sh --help" ;;
		*) base=$1 ;;
		esac
		shift
	done
	base=${base%/}
	case ${PREFIX:-/usr/local} in
	/*) ;;
	*) refuse $USAGE "PREFIX is $PREFIX, which does not begin with /" ;;
	esac
	[ "$action" = uninstall ] || [ -n "$base" ] ||
		refuse $USAGE 'say where from: install.sh BASE, or MINNOW_BASE_URL; see install.sh --help'
	trap tidy_up EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	$action
}

# The last line, so that a download that was cut off does nothing.
main "$@"

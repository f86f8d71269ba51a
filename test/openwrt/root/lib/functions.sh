#!/bin/sh
# Stands in for OpenWrt's file of this name, with what a package and its init script call. A UCI
# file happens to be a shell script of calls of config, option and list.
# shellcheck disable=SC1090,SC2013,SC2034,SC2154,SC3043

config() {
	count=$((count + 1))
	section="${2:-cfg$count}"
	sections="$sections $section"
	eval "type_$section=\$1"
}

option() {
	eval "value_${section}_$1=\$2"
}

list() {
	local length
	eval "length=\$((\${length_${section}_$1:-0} + 1))"
	eval "length_${section}_$1=$length; item_${section}_$1_$length=\$2"
}

config_load() {
	local said
	for said in $(set | sed -n 's/^\(\(type\|value\|length\|item\)_[^=]*\)=.*/\1/p'); do
		unset "$said"
	done
	count=0
	sections=
	. "/etc/config/$1"
}

config_get() {
	eval "$1=\"\${value_${2}_$3:-\$4}\""
}

config_get_bool() {
	local said
	config_get said "$2" "$3" "$4"
	case "$said" in
	1 | on | true | yes | enabled) eval "$1=1" ;;
	*) eval "$1=0" ;;
	esac
}

config_foreach() {
	local each type
	for each in $sections; do
		eval "type=\$type_$each"
		[ "$type" = "$2" ] && "$1" "$each"
	done
	return 0
}

config_list_foreach() {
	local length at=1 item
	eval "length=\${length_${1}_$2:-0}"
	while [ "$at" -le "$length" ]; do
		eval "item=\$item_${1}_$2_$at"
		"$3" "$item"
		at=$((at + 1))
	done
}

# "name=1:group=2" of the package's Require-User.
add_group_and_user() {
	local info="/usr/lib/opkg/info/$pkgname.control" required user group
	required="$(sed -n 's/^Require-User: //p' "$info")"
	user="${required%%:*}"
	group="${required#*:}"
	grep -q "^${group%=*}:" /etc/group || echo "${group%=*}:x:${group#*=}:" >> /etc/group
	grep -q "^${user%=*}:" /etc/passwd ||
		echo "${user%=*}:x:${user#*=}:${group#*=}::/var/run:/bin/false" >> /etc/passwd
}

default_postinst() {
	local pkgname script
	pkgname="$(basename "${1%.*}")"
	add_group_and_user
	for script in $(grep '^/etc/init.d/' "/usr/lib/opkg/info/$pkgname.list"); do
		"$script" enable
		"$script" start
	done
}

default_prerm() {
	local pkgname script
	pkgname="$(basename "${1%.*}")"
	for script in $(grep '^/etc/init.d/' "/usr/lib/opkg/info/$pkgname.list"); do
		"$script" disable
		"$script" stop
	done
}

#!/bin/sh
# Stands in for OpenWrt's file of this name.

network_is_up() {
	grep -q "^$1\$" /tmp/interfaces-up
}

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The index of RFC requirements, tests/RFC.md, is current, and each of them is named in the source or excused.
exec "$(dirname "$0")/../rfc-index.sh" check

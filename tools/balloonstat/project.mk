# SPDX-License-Identifier: GPL-2.0-only
# For whoever compiles balloonstat: the version and the range of kernels, from dkms.conf,
# which is the one place that has them.

DKMS_CONF := $(dir $(lastword $(MAKEFILE_LIST)))../../dkms.conf
conf = $(shell sed -n 's/^$(1)="\(.*\)"$$/\1/p' '$(DKMS_CONF)')
VERSION := $(call conf,PACKAGE_VERSION)
KERNELS := $(call conf,BALLOON_KERNELS)
ifeq ($(and $(VERSION),$(KERNELS)),)
$(error $(DKMS_CONF) does not say which version this is, or for which kernels)
endif
PROJECT_CFLAGS = -DVERSION='"$(VERSION)"' -DKERNELS='"$(KERNELS)"'

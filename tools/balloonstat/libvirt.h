/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libvirt, made to look like a QMP socket: a thread for each domain sits between
 * a pair of sockets and libvirt's calls, which block. A domain that hangs keeps
 * its thread and nobody else.
 */
#ifndef BALLOONSTAT_LIBVIRT_H
#define BALLOONSTAT_LIBVIRT_H

#include <stdbool.h>

/**
 * libvirt_built() - whether balloonstat was built with libvirt
 */
bool libvirt_built(void);

/**
 * libvirt_open() - begin a conversation with a domain's monitor
 * @uri: of libvirt; NULL: its default
 * @domain: its name
 *
 * What comes first is a greeting as QEMU's, or an object with "error". After
 * that each line sent is a command, each line received its answer.
 *
 * Return: a non-blocking descriptor, or -errno; -EOPNOTSUPP: built without libvirt.
 */
int libvirt_open(const char *uri, const char *domain);

/**
 * libvirt_list() - begin to list the domains that run
 * @uri: of libvirt; NULL: its default
 *
 * What comes is an object with "domain" for each, or one with "error", and then
 * the end of file.
 *
 * Return: a non-blocking descriptor, or -errno; -EOPNOTSUPP: built without libvirt.
 */
int libvirt_list(const char *uri);

#endif

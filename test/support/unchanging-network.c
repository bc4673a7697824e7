/*
 * For LD_PRELOAD: a program that does not learn that addresses of the machine change, though it can ask for them. Chromium
 * aborts all requests at a change (ERR_NETWORK_CHANGED), and tests beside it add and remove addresses.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/netlink.h>
#include <sys/socket.h>

int bind(int fd, const struct sockaddr *address, socklen_t bytes) {
  static int (*next)(int, const struct sockaddr *, socklen_t);
  if (!next) next = (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "bind");
  if (address->sa_family != AF_NETLINK) return next(fd, address, bytes);
  struct sockaddr_nl alone = *(const struct sockaddr_nl *)address;
  alone.nl_groups = 0;
  return next(fd, (const struct sockaddr *)&alone, sizeof(alone));
}

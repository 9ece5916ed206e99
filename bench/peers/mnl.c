/*
 * The same messages by libmnl's batch, as its own examples use it: messages are copied into a batch of
 * MNL_SOCKET_BUFFER_SIZE, sent when it is full, and replies are read until the last one's ack is there.
 *
 *   mnl DATAPATH FILE
 *
 * FILE as for limit.c. Sent twice: to warm memory up, and to be counted. Prints one line of JSON.
 */
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "peak.h"

#define FAIL(what) (perror(what), exit(1))
#define PIECE_BYTES (4 << 20)

static struct mnl_socket *nl;
static unsigned port;
static int family, datapath;
static long system_calls, datagrams, bytes_sent, errors, flows;
static unsigned sequence = 1;
static char *room, *reply;
static size_t reply_bytes;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static int on_family(const struct nlattr *attribute, void *id) {
  if (mnl_attr_get_type(attribute) == CTRL_ATTR_FAMILY_ID) *(int *)id = mnl_attr_get_u16(attribute);
  return MNL_CB_OK;
}

static int on_message(const struct nlmsghdr *header, void *id) {
  return mnl_attr_parse(header, sizeof(struct genlmsghdr), on_family, id);
}

static void find_family(void) {
  char buffer[MNL_SOCKET_BUFFER_SIZE];
  struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
  header->nlmsg_type = GENL_ID_CTRL;
  header->nlmsg_flags = NLM_F_REQUEST;
  struct genlmsghdr *generic = mnl_nlmsg_put_extra_header(header, sizeof *generic);
  generic->cmd = CTRL_CMD_GETFAMILY;
  generic->version = 1;
  mnl_attr_put_strz(header, CTRL_ATTR_FAMILY_NAME, "ovs_flow");
  if (mnl_socket_sendto(nl, header, header->nlmsg_len) < 0) FAIL("send");
  int length = mnl_socket_recvfrom(nl, buffer, sizeof buffer);
  if (length < 0 || mnl_cb_run(buffer, length, 0, port, on_message, &family) < 0) FAIL("ovs_flow");
}

/* Sends what the batch holds, and reads until the ack of its last message. */
static void send_batch(struct mnl_nlmsg_batch *batch, struct nlmsghdr *final) {
  final->nlmsg_flags |= NLM_F_ACK;
  unsigned wanted = final->nlmsg_seq;
  if (mnl_socket_sendto(nl, mnl_nlmsg_batch_head(batch), mnl_nlmsg_batch_size(batch)) < 0)
    FAIL("send");
  system_calls++;
  datagrams++;
  bytes_sent += mnl_nlmsg_batch_size(batch);
  for (int done = 0; !done;) {
    int length = mnl_socket_recvfrom(nl, reply, reply_bytes);
    system_calls++;
    if (length < 0) FAIL("recv");
    for (struct nlmsghdr *header = (void *)reply; mnl_nlmsg_ok(header, length);
         header = mnl_nlmsg_next(header, &length)) {
      if (header->nlmsg_type != NLMSG_ERROR) continue;
      if (((struct nlmsgerr *)mnl_nlmsg_get_payload(header))->error) errors++;
      done |= header->nlmsg_seq == wanted;
    }
  }
}

static double install(FILE *file, char *data) {
  struct mnl_nlmsg_batch *batch = mnl_nlmsg_batch_start(room, MNL_SOCKET_BUFFER_SIZE);
  double spent = 0;
  size_t kept = 0;
  rewind(file);
  system_calls = datagrams = bytes_sent = errors = flows = 0;
  for (;;) {
    kept += fread(data + kept, 1, PIECE_BYTES - kept, file);
    char *at = data, *end = data + kept;
    double before = now();
    struct nlmsghdr *last = NULL;
    while (at + 16 <= end && at + ((struct nlmsghdr *)at)->nlmsg_len <= end) {
      struct nlmsghdr *header = mnl_nlmsg_batch_current(batch);
      memcpy(header, at, ((struct nlmsghdr *)at)->nlmsg_len);
      header->nlmsg_type = family;
      header->nlmsg_flags = NLM_F_REQUEST;
      header->nlmsg_seq = sequence++;
      *(int *)((char *)header + 20) = datapath;
      at += header->nlmsg_len;
      flows++;
      if (mnl_nlmsg_batch_next(batch)) {
        last = header;
        continue;
      }
      /* The message that went over the limit is the first of the next batch. */
      send_batch(batch, last);
      mnl_nlmsg_batch_reset(batch);
      last = mnl_nlmsg_batch_head(batch);
    }
    if (at == data) break;
    if (!mnl_nlmsg_batch_is_empty(batch)) {
      send_batch(batch, last);
      mnl_nlmsg_batch_reset(batch);
    }
    spent += now() - before;
    memmove(data, at, end - at);
    kept = end - at;
  }
  mnl_nlmsg_batch_stop(batch);
  return spent;
}

static void flush(void) {
  struct {
    struct nlmsghdr n;
    struct genlmsghdr g;
    int datapath;
  } request = {{sizeof request, family, NLM_F_REQUEST | NLM_F_ACK, 1, 0}, {2, 1, 0}, datapath};
  if (mnl_socket_sendto(nl, &request, sizeof request) < 0 ||
      mnl_socket_recvfrom(nl, reply, reply_bytes) < 0)
    FAIL("flush");
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: mnl DATAPATH FILE\n"), 2;
  FILE *file = fopen(argv[2], "r");
  datapath = if_nametoindex(argv[1]);
  if (!file || !datapath) FAIL(argv[2]);
  setvbuf(file, NULL, _IONBF, 0);
  /* A message may go over the limit of a batch: there is room for it. */
  room = malloc(2 * MNL_SOCKET_BUFFER_SIZE);
  reply_bytes = 8 * MNL_SOCKET_BUFFER_SIZE;
  reply = malloc(reply_bytes);
  nl = mnl_socket_open(NETLINK_GENERIC);
  if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0) FAIL("socket");
  port = mnl_socket_get_portid(nl);
  find_family();
  char *data = malloc(PIECE_BYTES);
  install(file, data);
  flush();
  double seconds = install(file, data);
  printf("{\"flows\":%ld,\"seconds\":%.6f,\"systemCalls\":%ld,\"datagrams\":%ld,\"bytes\":%ld,"
         "\"errors\":%ld,\"peakResidentBytes\":%ld}\n",
         flows, seconds, system_calls, datagrams, bytes_sent, errors, peak_resident_bytes());
  return errors ? 1 : 0;
}

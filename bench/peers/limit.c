/*
 * The kernel's limit: sends messages that were encoded beforehand, and nothing else.
 *
 *   limit flow DATAPATH FILE PER_DATAGRAM BYTES_PER_DATAGRAM DATAGRAMS_PER_CALL each|errors [sendmsg]
 *   limit route - FILE ...
 *   limit latency DATAPATH FILE RATE FLOWS SIZE...
 *
 * FILE holds messages back to back: OVS_FLOW_CMD_NEW, or RTM_NEWROUTE. They are read a piece at a time
 * into memory that is used again, and stamped (family, datapath, sequence, flags), while the clock
 * stands: what counts is from a piece's first send to its last reply. `sendmsg` sends a datagram as an
 * iovec a message, the way of nl_transact_multiple in OVS; with 50 messages and 3584 bytes it is its shape.
 *
 * The file is sent three times: to warm memory up, to be counted, and once more for the latency of each
 * batch, since reading the clock may cost as much as a system call. Prints one line of JSON.
 *
 * `latency` is bench/lab/latency.ts: flows of the first piece, by size of batch, in an open and in a closed loop.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "peak.h"

#define FAIL(what) (perror(what), exit(1))
#define REPLY_SLOTS 1024
#define REPLY_BYTES 256
#define CALLS_MAX 1024
/* Messages of a piece: a few batches of the greatest shape, 3 MB. */
#define PIECE 16384
#define PIECE_BYTES (PIECE * 256)
#define TENTHS 10

static char replies[REPLY_SLOTS][REPLY_BYTES];
static struct mmsghdr slots[REPLY_SLOTS], out[CALLS_MAX];
static char *data;
static struct iovec datagrams[PIECE], messages[PIECE];
static uint32_t last[PIECE];
static int counts[PIECE], starts[PIECE];

static int fd, family, datapath, route, each, per_datagram, bytes_max, per_call, iovecs;
static long system_calls, datagrams_sent, bytes_sent, errors, flows;
static uint32_t sequence = 1000;
static uint64_t *latencies;
static long batches, batches_max;
static double tenths[TENTHS];

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static void open_socket(void) {
  int one = 1, receive = 4 << 20, send = 2 << 20;
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  fd = socket(AF_NETLINK, SOCK_RAW, route ? NETLINK_ROUTE : NETLINK_GENERIC);
  if (fd < 0 || connect(fd, (struct sockaddr *)&kernel, sizeof kernel)) FAIL("socket");
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
  setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof one);
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send, sizeof send))
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send, sizeof send);
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof receive))
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive);
}

static int family_id(void) {
  struct {
    struct nlmsghdr n;
    struct genlmsghdr g;
    struct nlattr a;
    char name[12];
  } request = {{sizeof request, GENL_ID_CTRL, NLM_F_REQUEST, 1, 0},
               {CTRL_CMD_GETFAMILY, 2, 0},
               {4 + 9, CTRL_ATTR_FAMILY_NAME},
               "ovs_flow"};
  char reply[8192];
  if (send(fd, &request, sizeof request, 0) < 0) FAIL("send");
  int length = recv(fd, reply, sizeof reply, 0);
  struct nlmsghdr *header = (void *)reply;
  if (length < 0 || header->nlmsg_type == NLMSG_ERROR) FAIL("no family ovs_flow");
  for (char *at = reply + 20; at < reply + header->nlmsg_len;) {
    struct nlattr *attribute = (void *)at;
    if (attribute->nla_type == CTRL_ATTR_FAMILY_ID) return *(uint16_t *)(at + 4);
    at += NLA_ALIGN(attribute->nla_len);
  }
  FAIL("no family id");
}

/* Reads replies until the acks or errors of the last messages of `count` datagrams have come. */
static void drain(const uint32_t *wanted, int count) {
  for (int seen = 0; seen < count;) {
    int got = recvmmsg(fd, slots, REPLY_SLOTS, MSG_DONTWAIT, NULL);
    system_calls++;
    if (got < 0) FAIL("recvmmsg");
    for (int i = 0; i < got; i++) {
      struct nlmsghdr *header = (void *)replies[i];
      if (header->nlmsg_type != NLMSG_ERROR) continue;
      if (*(int *)(replies[i] + 16) != 0) errors++;
      while (seen < count && (int32_t)(header->nlmsg_seq - wanted[seen]) >= 0) seen++;
    }
  }
}

/* A delete that names no flow. */
static void flush(void) {
  struct {
    struct nlmsghdr n;
    struct genlmsghdr g;
    int datapath;
  } request = {{sizeof request, family, NLM_F_REQUEST | NLM_F_ACK, 1, 0}, {2, 1, 0}, datapath};
  if (send(fd, &request, sizeof request, 0) < 0 || recv(fd, replies[0], REPLY_BYTES, 0) < 0)
    FAIL("flush");
}

/* Cuts a piece of `length` bytes into datagrams. */
static long stamp(size_t length, int remove) {
  long count = 0, index = 0;
  struct nlmsghdr *previous = NULL;
  for (char *at = data; at < data + length; index++) {
    struct nlmsghdr *header = (void *)at;
    header->nlmsg_type = route ? (remove ? RTM_DELROUTE : RTM_NEWROUTE) : family;
    header->nlmsg_seq = sequence++;
    header->nlmsg_flags = NLM_F_REQUEST | (each ? NLM_F_ACK : 0) | (route ? NLM_F_CREATE : 0);
    if (!route) *(int *)(at + 20) = datapath;
    messages[index] = (struct iovec){at, header->nlmsg_len};
    int open = previous && counts[count - 1] < per_datagram &&
               datagrams[count - 1].iov_len + header->nlmsg_len <= (size_t)bytes_max;
    if (!open) {
      if (previous) previous->nlmsg_flags |= NLM_F_ACK;
      starts[count] = index;
      counts[count] = 0;
      datagrams[count++] = (struct iovec){at, 0};
    }
    datagrams[count - 1].iov_len += header->nlmsg_len;
    last[count - 1] = header->nlmsg_seq;
    counts[count - 1]++;
    previous = header;
    at += header->nlmsg_len;
  }
  if (previous) previous->nlmsg_flags |= NLM_F_ACK;
  flows += index;
  return count;
}

static void send_piece(long count, int timed) {
  uint64_t before = timed ? now_ns() : 0;
  for (long d = 0; d < count; d += per_call) {
    int now = count - d < per_call ? count - d : per_call;
    if (iovecs) {
      struct msghdr header = {.msg_iov = &messages[starts[d]], .msg_iovlen = counts[d]};
      if (sendmsg(fd, &header, 0) < 0) FAIL("sendmsg");
    } else if (now == 1) {
      if (send(fd, datagrams[d].iov_base, datagrams[d].iov_len, 0) < 0) FAIL("send");
    } else {
      for (int i = 0; i < now; i++)
        out[i].msg_hdr = (struct msghdr){.msg_iov = &datagrams[d + i], .msg_iovlen = 1};
      if (sendmmsg(fd, out, now, 0) != now) FAIL("sendmmsg");
    }
    system_calls++;
    drain(last + d, now);
    if (!timed) continue;
    if (batches == batches_max) {
      batches_max = batches_max ? batches_max * 2 : 4096;
      latencies = realloc(latencies, batches_max * sizeof *latencies);
    }
    uint64_t after = now_ns();
    latencies[batches++] = after - before;
    before = after;
  }
  datagrams_sent += count;
}

/* Sends the whole file. Returns the seconds that count. */
static double install(FILE *file, long total, int timed, int remove) {
  size_t kept = 0;
  uint64_t spent = 0, tenth_spent = 0;
  int tenth = 0;
  rewind(file);
  system_calls = datagrams_sent = bytes_sent = errors = flows = 0;
  for (;;) {
    kept += fread(data + kept, 1, PIECE_BYTES - kept, file);
    /* Whole messages only; a tenth ends with a piece. */
    size_t whole = 0;
    long in_piece = 0, left = total ? (tenth + 1) * total / TENTHS - flows : PIECE;
    while (whole + 16 <= kept && in_piece < PIECE && in_piece < left) {
      uint32_t length = ((struct nlmsghdr *)(data + whole))->nlmsg_len;
      if (whole + length > kept) break;
      whole += length;
      in_piece++;
    }
    if (!whole) break;
    long count = stamp(whole, remove);
    uint64_t before = now_ns();
    send_piece(count, timed);
    spent += now_ns() - before;
    bytes_sent += whole;
    memmove(data, data + whole, kept - whole);
    kept -= whole;
    if (total && flows == (tenth + 1) * total / TENTHS) {
      tenths[tenth++] = (spent - tenth_spent) / 1e9;
      tenth_spent = spent;
      if (tenth == TENTHS) break;
    }
  }
  return spent / 1e9;
}

static int compare(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static double at_part(double part) {
  if (!batches) return 0;
  long index = part * batches;
  return latencies[index < batches ? index : batches - 1] / 1e3;
}

/* A percentile in JSON; null where there are fewer batches than tell it. */
struct tail {
  char text[32];
};

static struct tail tail(double part, long least) {
  struct tail said = {"null"};
  if (batches >= least) snprintf(said.text, sizeof said.text, "%.1f", at_part(part));
  return said;
}

static void reset(FILE *file) {
  if (route) install(file, 0, 0, 1);
  else flush();
}

/* Sends flows in batches; a flow is as old as it says in bench/lab/latency.ts. Returns seconds. */
static double loop(char *const *at, long total, long size, double interval) {
  char *base = data;
  flush();
  batches = 0;
  uint64_t started = now_ns();
  for (long sent = 0; sent < total; sent += size) {
    long end = sent + size < total ? sent + size : total;
    data = at[sent];
    long count = stamp(at[end] - at[sent], 0);
    while (interval && now_ns() < started + (end - 1) * interval);
    uint64_t before = now_ns();
    send_piece(count, 0);
    uint64_t now = now_ns();
    for (long flow = sent; flow < end; flow++)
      latencies[batches++] = now - (interval ? started + (uint64_t)(flow * interval) : before);
  }
  data = base;
  qsort(latencies, batches, sizeof *latencies, compare);
  return (now_ns() - started) / 1e9;
}

static int latency(FILE *file, double rate, long total, char **sizes, int count) {
  static char *at[PIECE + 1];
  if (total > PIECE) total = PIECE;
  size_t length = fread(data, 1, PIECE_BYTES, file);
  long found = 0;
  for (at[0] = data; found < total; found++) {
    if (at[found] + 16 > data + length) break;
    char *next = at[found] + ((struct nlmsghdr *)at[found])->nlmsg_len;
    if (next > data + length) break;
    at[found + 1] = next;
  }
  latencies = malloc(PIECE * sizeof *latencies);
  per_datagram = per_call = 64, bytes_max = 1 << 20;
  loop(at, found, 64, 0);
  printf("{\"seconds\":0,\"steps\":[");
  for (int i = 0; i < count * 2; i++) {
    long size = atol(sizes[i / 2]);
    const char *kind = i % 2 ? "closed" : "open";
    double seconds = loop(at, found, size, i % 2 ? 0 : 1e9 / rate);
    printf("%s{\"id\":\"latency-c-%s-%ld\",\"name\":\"C, %s loop, batches of %ld\",\"flows\":%ld,"
           "\"seconds\":%.6f,\"batchLatencyMicroseconds\":{\"p50\":%.1f,\"p90\":%.1f,"
           "\"p99\":%s,\"p999\":%s,\"max\":%.1f}}",
           i ? "," : "", kind, size, kind, size, found, seconds, at_part(0.5), at_part(0.9),
           tail(0.99, 100).text, tail(0.999, 1000).text, latencies[batches - 1] / 1e3);
  }
  printf("]}\n");
  flush();
  return errors ? 1 : 0;
}

int main(int argc, char **argv) {
  int measures_latency = argc > 6 && !strcmp(argv[1], "latency");
  if (argc < 8 && !measures_latency) return fprintf(stderr, "usage: see limit.c\n"), 2;
  route = !strcmp(argv[1], "route");
  datapath = route ? 0 : if_nametoindex(argv[2]);
  if (!measures_latency) {
    per_datagram = atoi(argv[4]), bytes_max = atoi(argv[5]), per_call = atoi(argv[6]);
    each = !strcmp(argv[7], "each");
  }
  iovecs = argc > 8 && !strcmp(argv[8], "sendmsg");
  FILE *file = fopen(argv[3], "r");
  if ((!route && !datapath) || !file || per_call > CALLS_MAX) FAIL(argv[3]);
  setvbuf(file, NULL, _IONBF, 0);
  data = malloc(PIECE_BYTES);
  open_socket();
  if (!route) family = family_id();
  for (int i = 0; i < REPLY_SLOTS; i++) {
    static struct iovec iov[REPLY_SLOTS];
    iov[i] = (struct iovec){replies[i], REPLY_BYTES};
    slots[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
  }
  if (measures_latency) return latency(file, atof(argv[4]), atol(argv[5]), argv + 6, argc - 6);
  install(file, 0, 0, 0);
  long total = flows;
  reset(file);
  if (total <= 200000) {
    install(file, total, 1, 0);
    reset(file);
  }
  double seconds = install(file, total, 0, 0);
  long calls = system_calls, sent = datagrams_sent, bytes = bytes_sent, failed = errors;
  if (route) reset(file);
  qsort(latencies, batches, sizeof *latencies, compare);
  printf("{\"flows\":%ld,\"seconds\":%.6f,\"systemCalls\":%ld,\"datagrams\":%ld,\"bytes\":%ld,"
         "\"errors\":%ld,\"peakResidentBytes\":%ld,\"tenths\":[",
         total, seconds, calls, sent, bytes, failed, peak_resident_bytes());
  for (int i = 0; i < TENTHS; i++) printf("%s%.6f", i ? "," : "", tenths[i]);
  printf("]");
  if (batches)
    printf(",\"batchLatencyMicroseconds\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%s,\"p999\":%s,"
           "\"max\":%.1f}",
           at_part(0.5), at_part(0.9), tail(0.99, 100).text,
           tail(0.999, 1000).text, latencies[batches - 1] / 1e3);
  printf("}\n");
  return failed ? 1 : 0;
}

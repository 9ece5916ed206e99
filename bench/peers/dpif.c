/*
 * Flows from text by OVS's own library, as a C program on it would do: its parser, and dpif_operate.
 *
 *   dpif operate DATAPATH FILE     lines are parsed while the clock stands: dpif_operate alone counts
 *   dpif text DATAPATH FILE        reading, parsing and dpif_operate count
 *   dpif parse FILE                nothing is sent: parsing alone counts, of lines in warm memory
 *
 * FILE is what ovs-dpctl add-flows reads, with ports as numbers, and without words before the key. Flows
 * are put, and get a UFID, as ovs-vswitchd gives them one. Prints one line of JSON.
 */
#include <config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dpif.h"
#include "odp-util.h"
#include "openvswitch/ofpbuf.h"
#include "util.h"

#include "peak.h"

#define FAIL(what, why) (fprintf(stderr, "%s: %s\n", what, why), exit(1))
/* Operations handed over at a time; the library cuts them into transactions of at most 50. */
#define OPERATIONS 1000
#define LINE_BYTES 4096
#define READ_BYTES (64 << 10)
/* Passes of `parse` before the one that counts, as those of millrace's own. */
#define WARM_PASSES 3

/* A flow in netlink's attributes; its memory is used again for the next one. */
struct flow_text {
  struct ofpbuf key, mask, actions;
  ovs_u128 ufid;
};

static struct flow_text flows[OPERATIONS];
static struct dpif_op operations[OPERATIONS], *pointers[OPERATIONS];
static long count, errors;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void make_room(int slots) {
  for (int i = 0; i < slots; i++) {
    ofpbuf_init(&flows[i].key, 256);
    ofpbuf_init(&flows[i].mask, 256);
    ofpbuf_init(&flows[i].actions, 64);
    pointers[i] = &operations[i];
  }
}

/* `line` is a key, a space, and actions, and perhaps a newline; it is cut in two. */
static void parse(char *line, struct flow_text *flow) {
  char *actions = strchr(line, ' '), *why = NULL;
  if (!actions) FAIL(line, "no actions");
  *actions++ = '\0';
  actions[strcspn(actions, "\n")] = '\0';
  ofpbuf_clear(&flow->key);
  ofpbuf_clear(&flow->mask);
  ofpbuf_clear(&flow->actions);
  if (odp_flow_from_string(line, NULL, &flow->key, &flow->mask, &why)) FAIL(line, why);
  if (odp_actions_from_string(actions, NULL, &flow->actions)) FAIL(actions, "not actions");
}

static int parse_some(FILE *file) {
  char line[LINE_BYTES];
  int found = 0;
  for (; found < OPERATIONS && fgets(line, sizeof line, file); found++) {
    struct flow_text *flow = &flows[found];
    parse(line, flow);
    odp_flow_key_hash(flow->key.data, flow->key.size, &flow->ufid);
  }
  return found;
}

static void put(struct dpif *dpif, int found) {
  for (int i = 0; i < found; i++) {
    struct flow_text *flow = &flows[i];
    operations[i] = (struct dpif_op){
        .type = DPIF_OP_FLOW_PUT,
        .flow_put = {.flags = DPIF_FP_CREATE | DPIF_FP_MODIFY,
                     .key = flow->key.data,
                     .key_len = flow->key.size,
                     .mask = flow->mask.data,
                     .mask_len = flow->mask.size,
                     .actions = flow->actions.data,
                     .actions_len = flow->actions.size,
                     .ufid = &flow->ufid,
                     .pmd_id = PMD_ID_NULL}};
  }
  dpif_operate(dpif, pointers, found, DPIF_OFFLOAD_AUTO);
  for (int i = 0; i < found; i++) errors += operations[i].error != 0;
}

/* Returns the seconds that count. */
static double install(struct dpif *dpif, FILE *file, int with_text) {
  double spent = 0, started = now();
  for (int found; (found = parse_some(file)) > 0; count += found) {
    double before = now();
    put(dpif, found);
    spent += now() - before;
  }
  return with_text ? now() - started : spent;
}

static double install_file(const char *name, FILE *file, int with_text) {
  struct dpif *dpif;
  int error = dpif_open(name, "system", &dpif);
  if (error) FAIL(name, ovs_strerror(error));
  make_room(OPERATIONS);
  setvbuf(file, NULL, _IOFBF, READ_BYTES);
  /* All memory that is used later is touched by the first of the lines. */
  put(dpif, parse_some(file));
  if (dpif_flow_flush(dpif)) FAIL(name, "cannot flush");
  rewind(file);
  double seconds = install(dpif, file, with_text);
  dpif_close(dpif);
  return seconds;
}

static char *read_all(FILE *file, size_t *size) {
  fseek(file, 0, SEEK_END);
  *size = ftell(file);
  rewind(file);
  char *text = xmalloc(*size);
  if (fread(text, 1, *size, file) != *size) FAIL("read", "short");
  return text;
}

static double parse_all(FILE *file) {
  char line[LINE_BYTES];
  double seconds = 0;
  size_t size;
  char *text = read_all(file, &size), *end = text + size;
  make_room(1);
  for (int pass = 0; pass <= WARM_PASSES; pass++) {
    double before = now();
    count = 0;
    for (char *at = text, *next; (next = memchr(at, '\n', end - at)); at = next + 1) {
      if (next - at >= LINE_BYTES) FAIL("read", "a line is too long");
      memcpy(line, at, next - at);
      line[next - at] = '\0';
      parse(line, &flows[0]);
      count++;
    }
    seconds = now() - before;
  }
  free(text);
  return seconds;
}

int main(int argc, char **argv) {
  int parsing = argc == 3 && !strcmp(argv[1], "parse");
  int with_text = argc == 4 && !strcmp(argv[1], "text");
  if (!parsing && !with_text && (argc != 4 || strcmp(argv[1], "operate")))
    return fprintf(stderr, "usage: dpif operate|text DATAPATH FILE | dpif parse FILE\n"), 2;
  set_program_name(argv[0]);
  FILE *file = fopen(argv[argc - 1], "r");
  if (!file) FAIL(argv[argc - 1], "cannot be opened");
  double seconds = parsing ? parse_all(file) : install_file(argv[2], file, with_text);
  printf("{\"flows\":%ld,\"seconds\":%.6f,\"errors\":%ld,\"peakResidentBytes\":%ld}\n", count,
         seconds, errors, peak_resident_bytes());
  return errors ? 1 : 0;
}

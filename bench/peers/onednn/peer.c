// Measures primitives of oneDNN 2.x (Debian 12: libdnnl-dev) on request. It reads one request a line,
//
//   KIND SHAPE PART MILLISECONDS
//
// with the shapes and parts of 'nasbench bench KIND', and answers each with one line: the nanoseconds of one execution,
// or a word of explanation that begins with '!'. Memory formats are left to the library (format_tag::any) for
// convolutions, channels last for pooling and batch norm; operands are put into them before the clock starts.
#include <oneapi/dnnl/dnnl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if DNNL_VERSION_MAJOR != 2
#error "this program is for oneDNN 2.x, as in Debian 12"
#endif

enum { MAX_MEMORIES = 16 };

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static void check(dnnl_status_t status, const char* what) {
  if (status == dnnl_success) return;
  fprintf(stderr, "oneDNN: %s: status %d\n", what, (int)status);
  exit(1);
}
#define DO(call) check(call, #call)

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

// A job is a primitive with its arguments, or a matrix product.
struct job {
  dnnl_primitive_t primitive;
  int count;
  dnnl_exec_arg_t args[MAX_MEMORIES];
  long m, n, k;
  char ta, tb;
  float *a, *b, *c;
};

static void execute(struct job* j) {
  if (!j->primitive) {
    DO(dnnl_sgemm(j->ta, j->tb, j->m, j->n, j->k, 1, j->a, j->ta == 'N' ? j->k : j->m, j->b, j->tb == 'N' ? j->n : j->k, 0, j->c, j->n));
    return;
  }
  DO(dnnl_primitive_execute(j->primitive, stream, j->count, j->args));
  DO(dnnl_stream_wait(stream));
}

// time_job returns the mean seconds of an execution over about the time given, after some that do not count.
static double time_job(struct job* j, double length) {
  execute(j);
  double start = seconds();
  execute(j);
  double once = seconds() - start;
  if (once > length) return once;  // one run is a measurement
  double part = length < 0.005 ? length : 0.005;
  long batch = 1;
  while (once * (double)batch < part / 2) batch *= 2;
  for (long i = 0; i < batch; i++) execute(j);
  double sum = 0;
  long runs = 0;
  while (runs < 2 || sum < length) {
    start = seconds();
    for (long i = 0; i < batch; i++) execute(j);
    sum += seconds() - start;
    runs += batch;
  }
  return sum / (double)runs;
}

static uint32_t state = 1;

static void randomize(float* x, size_t n) {
  for (size_t i = 0; i < n; i++) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    x[i] = (float)(state >> 8) / 16777216.0f - 0.5f;
  }
}

static void* allocate(size_t bytes) {
  void* p = aligned_alloc(4096, (bytes + 4096) / 4096 * 4096);
  if (!p) {
    fprintf(stderr, "out of memory\n");
    exit(1);
  }
  memset(p, 0, bytes);
  return p;
}

static float* floats(long n) {
  float* x = allocate(4 * (size_t)n);
  randomize(x, (size_t)n);
  return x;
}

// add appends a memory of this description to the arguments of a job. Blocked formats pad channels, which must be
// zero: a random image in the plain format is reordered into the memory.
static void add(struct job* j, int name, const dnnl_memory_desc_t* md) {
  dnnl_memory_t memory;
  DO(dnnl_memory_create(&memory, md, engine, allocate(dnnl_memory_desc_get_size(md))));
  if (md->data_type == dnnl_f32) {
    dnnl_dims_t strides;
    dnnl_dim_t step = 1;
    for (int i = md->ndims - 1; i >= 0; i--) {
      strides[i] = step;
      step *= md->dims[i];
    }
    dnnl_memory_desc_t plain;
    DO(dnnl_memory_desc_init_by_strides(&plain, md->ndims, md->dims, dnnl_f32, strides));
    float* values = floats(step);
    dnnl_memory_t from;
    DO(dnnl_memory_create(&from, &plain, engine, values));
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t reorder;
    DO(dnnl_reorder_primitive_desc_create(&desc, &plain, engine, md, engine, NULL));
    DO(dnnl_primitive_create(&reorder, desc));
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, memory}};
    DO(dnnl_primitive_execute(reorder, stream, 2, args));
    DO(dnnl_stream_wait(stream));
    DO(dnnl_primitive_destroy(reorder));
    DO(dnnl_primitive_desc_destroy(desc));
    DO(dnnl_memory_destroy(from));
    free(values);
  }
  j->args[j->count].arg = name;
  j->args[j->count].memory = memory;
  j->count++;
}

static void release(struct job* j) {
  for (int i = 0; i < j->count; i++) {
    void* p;
    DO(dnnl_memory_get_data_handle(j->args[i].memory, &p));
    DO(dnnl_memory_destroy(j->args[i].memory));
    free(p);
  }
  if (j->primitive) DO(dnnl_primitive_destroy(j->primitive));
  free(j->a);
  free(j->b);
  free(j->c);
}

static const dnnl_memory_desc_t* wanted(dnnl_primitive_desc_t desc, dnnl_query_t what) {
  return dnnl_primitive_desc_query_md(desc, what, 0);
}

static int gemm(struct job* j, const char* shape, const char* part) {
  if (sscanf(shape, "%ldx%ldx%ld", &j->m, &j->n, &j->k) != 3) return 0;
  j->ta = strcmp(part, "bwd-weights") ? 'N' : 'T';
  j->tb = strcmp(part, "bwd-data") ? 'N' : 'T';
  j->a = floats(j->m * j->k);
  j->b = floats(j->k * j->n);
  j->c = floats(j->m * j->n);
  return 1;
}

static int convolution(struct job* j, const char* shape, const char* part) {
  long n, c, h, k, r, stride, groups, dilation;
  if (sscanf(shape, "%ld,%ld,%ld,%ld,%ld,%ld,%ld,%ld", &n, &c, &h, &k, &r, &stride, &groups, &dilation) != 8) return 0;
  long pad = dilation * (r / 2), out = (h + 2 * pad - dilation * (r - 1) - 1) / stride + 1;
  // An even kernel pads one pixel more above and to the left; a padding below and to the right makes the sizes agree.
  long below = (out - 1) * stride + dilation * (r - 1) + 1 - h - pad;
  dnnl_dims_t xd = {n, c, h, h}, yd = {n, k, out, out}, steps = {stride, stride}, gaps = {dilation - 1, dilation - 1};
  dnnl_dims_t left = {pad, pad}, right = {below, below};
  dnnl_dims_t plain = {k, c, r, r}, grouped = {groups, k / groups, c / groups, r, r};
  dnnl_memory_desc_t x, w, y;
  DO(dnnl_memory_desc_init_by_tag(&x, 4, xd, dnnl_f32, dnnl_format_tag_any));
  DO(dnnl_memory_desc_init_by_tag(&y, 4, yd, dnnl_f32, dnnl_format_tag_any));
  DO(dnnl_memory_desc_init_by_tag(&w, groups > 1 ? 5 : 4, groups > 1 ? grouped : plain, dnnl_f32, dnnl_format_tag_any));
  dnnl_convolution_desc_t forward, backward;
  dnnl_primitive_desc_t hint, desc;
  DO(dnnl_dilated_convolution_forward_desc_init(&forward, dnnl_forward_training, dnnl_convolution_direct, &x, &w, NULL, &y, steps, gaps, left, right));
  DO(dnnl_primitive_desc_create(&hint, &forward, NULL, engine, NULL));
  if (!strcmp(part, "bwd-data")) {
    DO(dnnl_dilated_convolution_backward_data_desc_init(&backward, dnnl_convolution_direct, &x, &w, &y, steps, gaps, left, right));
    DO(dnnl_primitive_desc_create(&desc, &backward, NULL, engine, hint));
    add(j, DNNL_ARG_DIFF_SRC, wanted(desc, dnnl_query_diff_src_md));
    add(j, DNNL_ARG_WEIGHTS, wanted(desc, dnnl_query_weights_md));
    add(j, DNNL_ARG_DIFF_DST, wanted(desc, dnnl_query_diff_dst_md));
  } else if (!strcmp(part, "bwd-weights")) {
    DO(dnnl_dilated_convolution_backward_weights_desc_init(&backward, dnnl_convolution_direct, &x, &w, NULL, &y, steps, gaps, left, right));
    DO(dnnl_primitive_desc_create(&desc, &backward, NULL, engine, hint));
    add(j, DNNL_ARG_SRC, wanted(desc, dnnl_query_src_md));
    add(j, DNNL_ARG_DIFF_WEIGHTS, wanted(desc, dnnl_query_diff_weights_md));
    add(j, DNNL_ARG_DIFF_DST, wanted(desc, dnnl_query_diff_dst_md));
  } else {
    desc = hint;
    hint = NULL;
    add(j, DNNL_ARG_SRC, wanted(desc, dnnl_query_src_md));
    add(j, DNNL_ARG_WEIGHTS, wanted(desc, dnnl_query_weights_md));
    add(j, DNNL_ARG_DST, wanted(desc, dnnl_query_dst_md));
  }
  DO(dnnl_primitive_create(&j->primitive, desc));
  DO(dnnl_primitive_desc_destroy(desc));
  if (hint) DO(dnnl_primitive_desc_destroy(hint));
  return 1;
}

static int pooling(struct job* j, const char* shape, const char* part) {
  char name[4];
  long n, c, h, r, stride;
  if (sscanf(shape, "%3[a-z],%ld,%ld,%ld,%ld,%ld", name, &n, &c, &h, &r, &stride) != 6) return 0;
  dnnl_alg_kind_t kind = strcmp(name, "max") ? dnnl_pooling_avg_exclude_padding : dnnl_pooling_max;
  long pad = (r - 1) / 2, out = (h + 2 * pad - r) / stride + 1, below = (out - 1) * stride + r - h - pad;
  dnnl_dims_t xd = {n, c, h, h}, yd = {n, c, out, out}, steps = {stride, stride}, window = {r, r}, gaps = {0, 0};
  dnnl_dims_t left = {pad, pad}, right = {below, below};
  dnnl_memory_desc_t x, y;
  DO(dnnl_memory_desc_init_by_tag(&x, 4, xd, dnnl_f32, dnnl_nhwc));
  DO(dnnl_memory_desc_init_by_tag(&y, 4, yd, dnnl_f32, dnnl_nhwc));
  dnnl_pooling_v2_desc_t forward, backward;
  dnnl_primitive_desc_t hint, desc;
  DO(dnnl_pooling_v2_forward_desc_init(&forward, dnnl_forward_training, kind, &x, &y, steps, window, gaps, left, right));
  DO(dnnl_primitive_desc_create(&hint, &forward, NULL, engine, NULL));
  add(j, DNNL_ARG_SRC, &x);
  add(j, DNNL_ARG_DST, &y);
  const dnnl_memory_desc_t* workspace = wanted(hint, dnnl_query_workspace_md);
  if (workspace && workspace->ndims) add(j, DNNL_ARG_WORKSPACE, workspace);
  DO(dnnl_primitive_create(&j->primitive, hint));
  if (!strcmp(part, "bwd-data")) {
    execute(j); // fills the workspace
    DO(dnnl_primitive_destroy(j->primitive));
    add(j, DNNL_ARG_DIFF_SRC, &x);
    add(j, DNNL_ARG_DIFF_DST, &y);
    DO(dnnl_pooling_v2_backward_desc_init(&backward, kind, &x, &y, steps, window, gaps, left, right));
    DO(dnnl_primitive_desc_create(&desc, &backward, NULL, engine, hint));
    DO(dnnl_primitive_create(&j->primitive, desc));
    DO(dnnl_primitive_desc_destroy(desc));
  }
  DO(dnnl_primitive_desc_destroy(hint));
  return 1;
}

static int norm(struct job* j, const char* shape, const char* part) {
  long n, c, h;
  if (sscanf(shape, "%ld,%ld,%ld", &n, &c, &h) != 3) return 0;
  dnnl_dims_t xd = {n, c, h, h}, sd = {2, c}, cd = {c};
  dnnl_memory_desc_t x, both, one;
  DO(dnnl_memory_desc_init_by_tag(&x, 4, xd, dnnl_f32, dnnl_nhwc));
  DO(dnnl_memory_desc_init_by_tag(&both, 2, sd, dnnl_f32, dnnl_ab));
  DO(dnnl_memory_desc_init_by_tag(&one, 1, cd, dnnl_f32, dnnl_a));
  dnnl_batch_normalization_desc_t forward, backward;
  dnnl_primitive_desc_t hint, desc;
  DO(dnnl_batch_normalization_forward_desc_init(&forward, dnnl_forward_training, &x, 1e-5f, dnnl_use_scaleshift));
  DO(dnnl_primitive_desc_create(&hint, &forward, NULL, engine, NULL));
  add(j, DNNL_ARG_SRC, &x);
  add(j, DNNL_ARG_DST, &x);
  add(j, DNNL_ARG_SCALE_SHIFT, &both);
  add(j, DNNL_ARG_MEAN, &one);
  add(j, DNNL_ARG_VARIANCE, &one);
  DO(dnnl_primitive_create(&j->primitive, hint));
  if (!strcmp(part, "bwd-data")) {
    execute(j); // computes the mean and the variance
    DO(dnnl_primitive_destroy(j->primitive));
    add(j, DNNL_ARG_DIFF_DST, &x);
    add(j, DNNL_ARG_DIFF_SRC, &x);
    add(j, DNNL_ARG_DIFF_SCALE_SHIFT, &both);
    DO(dnnl_batch_normalization_backward_desc_init(&backward, dnnl_backward, &x, &x, 1e-5f, dnnl_use_scaleshift));
    DO(dnnl_primitive_desc_create(&desc, &backward, NULL, engine, hint));
    DO(dnnl_primitive_create(&j->primitive, desc));
    DO(dnnl_primitive_desc_destroy(desc));
  }
  DO(dnnl_primitive_desc_destroy(hint));
  return 1;
}

int main(void) {
  DO(dnnl_engine_create(&engine, dnnl_cpu, 0));
  DO(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
  char line[256], kind[32], shape[128], part[32];
  double milliseconds;
  while (fgets(line, sizeof line, stdin)) {
    struct job j = {0};
    if (!strcmp(line, "version\n")) {
      const dnnl_version_t* v = dnnl_version();
      printf("oneDNN %d.%d.%d\n", v->major, v->minor, v->patch);
      fflush(stdout);
      continue;
    }
    if (sscanf(line, "%31s %127s %31s %lf", kind, shape, part, &milliseconds) != 4) {
      printf("!request\n");
      fflush(stdout);
      continue;
    }
    int known = !strcmp(kind, "gemm")                                ? gemm(&j, shape, part)
                : !strcmp(kind, "conv") || !strcmp(kind, "depthwise") ? convolution(&j, shape, part)
                : !strcmp(kind, "pool")                              ? pooling(&j, shape, part)
                : !strcmp(kind, "norm")                              ? norm(&j, shape, part)
                                                                     : 0;
    if (known)
      printf("%.1f\n", 1e9 * time_job(&j, 1e-3 * milliseconds));
    else
      printf("!none\n");
    fflush(stdout);
    release(&j);
  }
  return 0;
}

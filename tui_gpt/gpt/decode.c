/* Decoding: streams read characters, get the logits of the next, and go on with what is drawn from them.

   This is inference with nothing around it. All of it is here: embedding, normalisation, attention over cached keys and
   values, feed-forward, head, the look-up in the n-gram prior, the sliding of the window and the draw. It computes what
   decode.py and sampling.py compute with PyTorch and NumPy, which stay the reference; what differs is the order of
   additions, and what numbers are rounded to.

   Arrays are row-major, innermost dimension last, float32 where nothing else is said: B streams, C = n_embd, H heads of
   D = C / H, V characters, S = block_size. A column is one character of one stream; N of them go through the network
   together: the next ones of N streams, or N of one stream that reads a window. Matrices are packed in panels, mostly in
   half precision, as reading them is what a character costs (see `sweep`); keys and values are kept in panels, too. Of
   many streams their keys and values and the arithmetic cost as much: what is kept is rounded to bytes and what comes to
   be multiplied with it to shorts (8 and 16-bit whole numbers), see `sweep_bytes`. A null pointer leaves a part out. The
   structs are mirrored in packing.py and kernel_decode.py. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#define PANEL 32 /* outputs computed together, by one sweep over contiguous memory */
#if defined __AVX512F__
#define LANES 16   /* floats in a register */
#define COLUMNS 12 /* columns that share a sweep, as many as the registers hold sums for */
#define WAYS 4     /* independent sums where there is one column, so that no addition waits for the last */
#elif defined __AVX__
#define LANES 8
#define COLUMNS 2
#define WAYS 2
#else
#define LANES 4
#define COLUMNS 2
#define WAYS 1
#endif
#define VECTORS (PANEL / LANES)
#define AHEAD 8192 /* bytes by which weights are fetched before they are used */
#define LINE 64    /* bytes of memory that are fetched together */
#define MAX_ORDER 16
#define NGRAM_SIZES 3 /* n-gram embeddings of 2, 3, 4 characters */
#define LONGEST 8     /* characters of a match that count, as in induction.py */
#define REACH 1024    /* how many positions back a match may lie, as in induction.py */
#define HISTORY (REACH + LONGEST) /* characters of the window that are looked at again while others are read */
#define STRETCH 256     /* products of bytes and shorts that are added up as whole numbers, less than 2^31 */
#define BYTE_MAX 127.f
#define SHORT_MAX 32767.f
#define TINY 1e-30f     /* scales below count as zero */
#define NORM_EPSILON 1e-5f
#define INLINE static inline __attribute__((always_inline))

typedef float floats __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t words __attribute__((vector_size(LANES * 4), aligned(4)));
typedef int32_t pair_of_shorts __attribute__((aligned(2), may_alias));

enum { SINGLE, HALF, BYTES };

struct matrix { /* (out, in) in panels of PANEL outputs, each panel as (in, PANEL), of bytes as (in / 2, PANEL, 2), padded */
    const void *panels;
    const float *scales; /* (out,): what the sums of `sweep` are multiplied with */
    int64_t kind;        /* of numbers */
};

struct layer {
    const float *attention_gain, *attention_shift;       /* (C,) each */
    struct matrix qkv, projection, expand, contract;     /* (3C, C), (C, C), (4C, C), (C, 4C) */
    const float *projection_bias;                        /* (C,) */
    const float *feed_forward_gain, *feed_forward_shift; /* (C,) each */
    const float *expand_bias, *contract_bias;            /* (4C,), (C,) */
};

struct ngrams { /* the k-grams of one length k */
    const int32_t *symbols;  /* last token of each k-gram; neighbours with one context are sorted */
    const int64_t *firsts;   /* where each k-gram's extensions begin among the (k+1)-grams */
    const float *shares;     /* discounted share of each k-gram in its context */
    const float *backoffs;   /* what each k-gram, as a context, leaves to the shorter one */
};

struct prior {
    int64_t order, dense_length;
    const float *unigram;            /* (V,) */
    const float *dense;              /* (contexts of dense_length tokens, V) */
    struct ngrams grams[MAX_ORDER + 1];
};

struct network { /* the weights of one member */
    const float *token_embedding;    /* (V, C) */
    const float *position_embedding; /* (S, C) */
    const float *ngram_embedding;    /* (sum of ngram_tables, C) */
    const float *match_embedding;    /* (LONGEST + 1, V, C): by a match's length and the character after it */
    const float *follower_bias, *candidate_bias; /* (LONGEST + 1,) each, by the length of a match */
    const float *match_gate;         /* (C,) */
    struct matrix prior_embedding;   /* (C, V) */
    struct matrix prior_trust;       /* (V, C): what the stream adds to prior_gate */
    float prior_gate;
    const float *gain, *shift;       /* (C,) */
    struct matrix head;              /* (V, C) */
    const float *head_bias;          /* (V,) */
    const struct layer *layers;
};

struct model {
    int64_t n_members, n_layer, n_head, n_embd, block_size, vocab_size;
    int64_t in_bytes;                /* all matrices are, and so are keys and values */
    int64_t is_modern;               /* normalised embedding, queries and keys, rotary positions, squared ReLU */
    float logit_cap;
    const double *turns;             /* (2, D / 2): cosines and sines of the angles from one position to the next */
    int64_t ngram_tables[NGRAM_SIZES];
    const int32_t *folded;           /* (V,): under which number each character is compared when matches are sought */
    const struct prior *prior;
    const struct network *members;
};

struct state { /* of B streams */
    int64_t batch_size;
    int64_t position;   /* characters that were read; of a classic model, since its window began anew */
    int64_t length;     /* characters in the window, the newest that were read */
    int64_t room;       /* W: the most there can be */
    int64_t stride;     /* by how much the start of a classic model's full window moves on */
    int64_t *window;    /* (B, W) */
    int32_t *folds;     /* (B, W): the numbers under which its characters are compared, and room for LANES more */
    char *cache;        /* (M, L, B, H): of each head of each of M members the keys as a matrix (S, D) and the values as
                           one (D, S), both in panels, then scales, see `byte_head`; position p has place p % S */
    double *turned;     /* (2, D / 2): cosines and sines of the angles at `position` */
    float *cosines, *sines; /* (T, D / 2) each: those of the T positions that are being read */
    int64_t are_alike;  /* all streams have read the same */
    int64_t *contexts;  /* (B, order): the k-gram of the last k tokens of each stream, -1 where there is none */
    float *rows, *gates; /* (N, V) each: log-probabilities of the prior, and how far to trust them */
    int64_t *matches;   /* (N, 2): of each column the longest match and the character after it */
    int64_t *candidates; /* (B, V): of each stream, for each character the longest match that it followed */
    float *scratch;     /* (N, 7C), and scores (S,) */
    int16_t *shorts;    /* (N, 4C or V), or (D,), or (S,): what bytes are multiplied with */
    float *stretches;   /* the scales of its stretches */
    float *logits;      /* (B, V): of the next characters */
    double *mixed;      /* (B, V): sum of the members' probabilities */
    int64_t *tokens;    /* (B,): what was written last */
    int64_t is_unread;  /* they are not in the window yet */
    double *chances;    /* (3V): see `choose` */
};

struct draw { /* SampleConfig's */
    double temperature, top_p, min_p;
    int64_t top_k;
};

static int64_t rounded_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

/* numbers that the keys, or the values, of one head of one stream take */
static int64_t keys_size(const struct model *m)
{
    return rounded_up(m->n_embd / m->n_head, 2) * rounded_up(m->block_size, PANEL);
}
static int64_t values_size(const struct model *m)
{
    return rounded_up(m->n_embd / m->n_head, PANEL) * rounded_up(m->block_size, PANEL);
}

/* bytes that one head of one stream takes */
int64_t head_bytes(const struct model *m)
{
    int64_t numbers = keys_size(m) + values_size(m), scales = 2 * rounded_up(m->block_size, PANEL);
    return m->in_bytes ? numbers + scales * sizeof(float) : numbers * sizeof(float);
}

/* w = PANEL numbers in half precision, as single */
INLINE void widen(const uint16_t *halves, floats w[VECTORS])
{
#if defined __AVX512F__
    for (int v = 0; v < VECTORS; v++)
        w[v] = (floats)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(halves + v * LANES)));
#elif defined __F16C__
    for (int v = 0; v < VECTORS; v++)
        w[v] = (floats)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(halves + v * LANES)));
#elif defined __ARM_FP16_FORMAT_IEEE
    __fp16 stored[PANEL];
    float wide[PANEL];
    memcpy(stored, halves, sizeof stored);
    for (int j = 0; j < PANEL; j++)
        wide[j] = stored[j];
    memcpy(w, wide, sizeof wide);
#else /* the bits move where they belong; the exponent's offset is a factor */
    float wide[PANEL];
    for (int j = 0; j < PANEL; j++) {
        uint32_t bits = (uint32_t)(halves[j] & 0x8000) << 16 | (uint32_t)(halves[j] & 0x7fff) << 13;
        memcpy(wide + j, &bits, sizeof bits);
        wide[j] *= 0x1p112f;
    }
    memcpy(w, wide, sizeof wide);
#endif
}

/* w = row i of a panel; the same row of `next` is brought nearer meanwhile */
INLINE void load_row(const int is_half, const void *panel, const void *next, int64_t i, floats w[VECTORS])
{
    const int64_t size = PANEL * (is_half ? 2 : 4);
    for (int64_t j = 0; j < size; j += LINE)
        __builtin_prefetch((const char *)next + i * size + j);
    if (is_half)
        widen((const uint16_t *)panel + i * PANEL, w);
    else
        for (int v = 0; v < VECTORS; v++)
            w[v] = *(const floats *)((const float *)panel + i * PANEL + v * LANES);
}

INLINE floats larger(floats a, floats b)
{
#if LANES == 16
    return (floats)_mm512_max_ps((__m512)a, (__m512)b);
#elif LANES == 8
    return (floats)_mm256_max_ps((__m256)a, (__m256)b);
#else
    words mask = a > b;
    return (floats)(((words)a & mask) | ((words)b & ~mask));
#endif
}

INLINE float largest(floats x)
{
#if LANES == 16
    return _mm512_reduce_max_ps((__m512)x);
#else
    float result = x[0];
    for (int l = 1; l < LANES; l++)
        result = x[l] > result ? x[l] : result;
    return result;
#endif
}

INLINE float sum(floats x)
{
#if LANES == 16
    return _mm512_reduce_add_ps((__m512)x);
#else
    float result = x[0];
    for (int l = 1; l < LANES; l++)
        result += x[l];
    return result;
#endif
}

/* sums (columns, PANEL) = one panel times x (columns, in): memory is read in order, every lane adds up its own output */
INLINE void sweep(const int columns, const int is_half, const void *panel, const void *next, const float *x, int64_t in,
                  floats sums[COLUMNS][VECTORS])
{
    floats s[COLUMNS][VECTORS], w[VECTORS];
    memset(s, 0, sizeof s);
    for (int64_t i = 0; i < in; i++) {
        load_row(is_half, panel, next, i, w);
#pragma GCC unroll 12
        for (int c = 0; c < columns; c++)
#pragma GCC unroll 8
            for (int v = 0; v < VECTORS; v++)
                s[c][v] += w[v] * x[c * in + i];
    }
#pragma GCC unroll 12
    for (int c = 0; c < columns; c++)
#pragma GCC unroll 8
        for (int v = 0; v < VECTORS; v++)
            sums[c][v] = s[c][v];
}

/* the same for one column */
INLINE void sweep_one(const int is_half, const void *panel, const void *next, const float *x, int64_t in,
                      floats sums[1][VECTORS])
{
    floats s[WAYS][VECTORS], w[VECTORS];
    int64_t i = 0;
    memset(s, 0, sizeof s);
    for (; i + WAYS <= in; i += WAYS)
#pragma GCC unroll 4
        for (int k = 0; k < WAYS; k++) {
            load_row(is_half, panel, next, i + k, w);
#pragma GCC unroll 8
            for (int v = 0; v < VECTORS; v++)
                s[k][v] += w[v] * x[i + k];
        }
    for (; i < in; i++) {
        load_row(is_half, panel, next, i, w);
        for (int v = 0; v < VECTORS; v++)
            s[0][v] += w[v] * x[i];
    }
    for (int v = 0; v < VECTORS; v++) {
        sums[0][v] = s[0][v];
        for (int k = 1; k < WAYS; k++)
            sums[0][v] += s[k][v];
    }
}

/* as many columns of x (N, in) as fit into one sweep; how many they were */
INLINE int64_t swept(const int is_half, const void *panel, const float *x, int64_t N, int64_t in,
                     floats sums[COLUMNS][VECTORS])
{
    const void *next = (const char *)panel + AHEAD;
    if (N >= COLUMNS)
        return sweep(COLUMNS, is_half, panel, next, x, in, sums), COLUMNS;
#if COLUMNS > 8
    if (N >= 8)
        return sweep(8, is_half, panel, next, x, in, sums), 8;
    if (N >= 4)
        return sweep(4, is_half, panel, next, x, in, sums), 4;
    if (N >= 2)
        return sweep(2, is_half, panel, next, x, in, sums), 2;
#endif
    return sweep_one(is_half, panel, next, x, in, sums), 1;
}

/* 2 LANES bytes, each lane gets two as shorts */
INLINE words widen_bytes(const int8_t *bytes)
{
#if LANES == 16 && defined __AVX512BW__
    return (words)_mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)bytes));
#elif LANES == 8 && defined __AVX2__
    return (words)_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)bytes));
#elif LANES == 4 && defined __SSE2__
    __m128i eight = _mm_loadl_epi64((const __m128i *)bytes);
    return (words)_mm_srai_epi16(_mm_unpacklo_epi8(eight, eight), 8);
#else
    int16_t shorts[2 * LANES];
    words pairs;
    for (int i = 0; i < 2 * LANES; i++)
        shorts[i] = bytes[i];
    memcpy(&pairs, shorts, sizeof pairs);
    return pairs;
#endif
}

/* sums of products, each lane's of its two shorts */
INLINE words add_products(words sums, words pairs, words others)
{
#if LANES == 16 && defined __AVX512VNNI__
    return (words)_mm512_dpwssd_epi32((__m512i)sums, (__m512i)pairs, (__m512i)others);
#elif LANES == 16 && defined __AVX512BW__
    return sums + (words)_mm512_madd_epi16((__m512i)pairs, (__m512i)others);
#elif LANES == 8 && defined __AVXVNNI__
    return (words)_mm256_dpwssd_avx_epi32((__m256i)sums, (__m256i)pairs, (__m256i)others);
#elif LANES == 8 && defined __AVX2__
    return sums + (words)_mm256_madd_epi16((__m256i)pairs, (__m256i)others);
#elif LANES == 4 && defined __SSE2__
    return sums + (words)_mm_madd_epi16((__m128i)pairs, (__m128i)others);
#else
    return sums + (pairs << 16 >> 16) * (others << 16 >> 16) + (pairs >> 16) * (others >> 16);
#endif
}

/* s (columns, PANEL) += the products of a row of bytes, two inputs of each output, and those two of x (columns, in) */
INLINE void add_row(const int columns, const int8_t *row, const int8_t *next, const int16_t *x, int64_t in,
                    words s[COLUMNS][VECTORS])
{
    words w[VECTORS];
    __builtin_prefetch(next);
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; v++)
        w[v] = widen_bytes(row + 2 * v * LANES);
#pragma GCC unroll 12
    for (int c = 0; c < columns; c++) {
        words pair = (words){0} + *(const pair_of_shorts *)(x + c * in);
#pragma GCC unroll 8
        for (int v = 0; v < VECTORS; v++)
            s[c][v] = add_products(s[c][v], w[v], pair);
    }
}

/* The exact sums s (columns, PANEL) of one panel's products with x (columns, in), of inputs from the even `i` to `end`. Of
   one column there are several sums, so that no addition waits for the last. */
INLINE void sum_products(const int columns, const int8_t *panel, const int8_t *next, const int16_t *x, int64_t in, int64_t i,
                         int64_t end, words s[COLUMNS][VECTORS])
{
    const int ways = columns == 1 ? WAYS : 1;
    words parts[WAYS][COLUMNS][VECTORS];
    memset(parts, 0, sizeof parts);
    for (; i + 2 * ways <= end; i += 2 * ways)
#pragma GCC unroll 4
        for (int k = 0; k < ways; k++)
            add_row(columns, panel + (i + 2 * k) * PANEL, next + (i + 2 * k) * PANEL, x + i + 2 * k, in, parts[k]);
    for (; i < end; i += 2)
        add_row(columns, panel + i * PANEL, next + i * PANEL, x + i, in, parts[0]);
#pragma GCC unroll 12
    for (int c = 0; c < columns; c++)
#pragma GCC unroll 8
        for (int v = 0; v < VECTORS; v++) {
            s[c][v] = parts[0][c][v];
#pragma GCC unroll 4
            for (int k = 1; k < ways; k++)
                s[c][v] += parts[k][c][v];
        }
}

/* `sweep` for bytes: sums (columns, PANEL) = one panel times x (columns, in), whose stretches have scales */
INLINE void sweep_bytes(const int columns, const int8_t *panel, const int8_t *next, const int16_t *x, const float *scales,
                        int64_t in, floats sums[COLUMNS][VECTORS])
{
    int64_t even = rounded_up(in, 2), stretches = rounded_up(in, STRETCH) / STRETCH;
    memset(sums, 0, columns * sizeof *sums);
    for (int64_t i = 0, stretch = 0; i < even; i += STRETCH, stretch++) {
        words s[COLUMNS][VECTORS];
        sum_products(columns, panel, next, x, even, i, i + STRETCH < even ? i + STRETCH : even, s);
#pragma GCC unroll 12
        for (int c = 0; c < columns; c++)
#pragma GCC unroll 8
            for (int v = 0; v < VECTORS; v++)
                sums[c][v] += __builtin_convertvector(s[c][v], floats) * scales[c * stretches + stretch];
    }
}

/* the largest of x (n,), whatever their signs */
INLINE float greatest(const float *x, int64_t n)
{
    floats most = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        floats part = *(const floats *)(x + i);
        most = larger(most, (floats)((words)part & 0x7fffffff));
    }
    float result = largest(most);
    for (; i < n; i++)
        result = fabsf(x[i]) > result ? fabsf(x[i]) : result;
    return result;
}

/* x (n,) / scale as the nearest whole numbers; an odd number of them is followed by a zero */
INLINE void shorten(const float *x, int64_t n, float scale, int16_t *shorts)
{
    const float factor = scale > TINY ? 1 / scale : 0;
    for (int64_t i = 0; i < n; i++) {
        float sum = x[i] * factor + 0x1.8p23f; /* its last bits are the whole number */
        int32_t bits;
        memcpy(&bits, &sum, sizeof bits);
        shorts[i] = bits;
    }
    if (n % 2)
        shorts[n] = 0;
}

/* N rows of x (N, n) as shorts, each stretch with its own scale */
static void shorten_rows(const float *x, int64_t N, int64_t n, int16_t *shorts, float *scales)
{
    for (int64_t row = 0; row < N; row++, shorts += n % 2)
        for (int64_t i = 0; i < n; i += STRETCH) {
            int64_t width = n - i < STRETCH ? n - i : STRETCH;
            *scales = greatest(x, width) / SHORT_MAX;
            shorten(x, width, *scales++, shorts);
            x += width, shorts += width;
        }
}

/* as many columns as fit into one sweep; how many they were */
INLINE int64_t swept_bytes(const int8_t *panel, const int16_t *x, const float *scales, int64_t N, int64_t in,
                           floats sums[COLUMNS][VECTORS])
{
    const int8_t *next = panel + AHEAD;
    if (N >= COLUMNS)
        return sweep_bytes(COLUMNS, panel, next, x, scales, in, sums), COLUMNS;
#if COLUMNS > 8
    if (N >= 8)
        return sweep_bytes(8, panel, next, x, scales, in, sums), 8;
    if (N >= 4)
        return sweep_bytes(4, panel, next, x, scales, in, sums), 4;
#endif
    return sweep_bytes(1, panel, next, x, scales, in, sums), 1;
}

/* y (n <= PANEL,) = sums times scales, plus bias */
INLINE void put(const floats sums[VECTORS], const float *scales, const float *bias, float *y, int64_t n)
{
    for (int v = 0; v < VECTORS && n == PANEL; v++) {
        floats part = sums[v] * *(const floats *)(scales + v * LANES);
        if (bias)
            part += *(const floats *)(bias + v * LANES);
        *(floats *)(y + v * LANES) = part;
    }
    for (int64_t j = 0; j < n && n < PANEL; j++)
        y[j] = ((const float *)sums)[j] * scales[j] + (bias ? bias[j] : 0);
}

INLINE void multiply_by(const int kind, const struct state *s, struct matrix matrix, const float *bias, const float *x,
                        float *y, int64_t N, int64_t out, int64_t in)
{
    floats sums[COLUMNS][VECTORS];
    int64_t even = rounded_up(in, 2), stretches = rounded_up(in, STRETCH) / STRETCH;
    if (kind == BYTES)
        shorten_rows(x, N, in, s->shorts, s->stretches);
    for (int64_t o = 0; o < out; o += PANEL) {
        const void *panel = (const char *)matrix.panels + o * (kind == BYTES ? even : kind == HALF ? 2 * in : 4 * in);
        int64_t width = out - o < PANEL ? out - o : PANEL;
        for (int64_t n = 0; n < N;) {
            int64_t columns =
                kind == BYTES ? swept_bytes(panel, s->shorts + n * even, s->stretches + n * stretches, N - n, in, sums)
                              : swept(kind == HALF, panel, x + n * in, N - n, in, sums);
            for (int64_t c = 0; c < columns; c++, n++)
                put(sums[c], matrix.scales + o, bias ? bias + o : NULL, y + n * out + o, width);
        }
    }
}

/* y (N, out) = matrix x (N, in), plus bias (out,) */
static void multiply(const struct state *s, struct matrix matrix, const float *bias, const float *x, float *y, int64_t N,
                     int64_t out, int64_t in)
{
    if (matrix.kind == BYTES)
        multiply_by(BYTES, s, matrix, bias, x, y, N, out, in);
    else if (matrix.kind == HALF)
        multiply_by(HALF, s, matrix, bias, x, y, N, out, in);
    else
        multiply_by(SINGLE, s, matrix, bias, x, y, N, out, in);
}

static void add(float *x, const float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] += y[i];
}

/* y = x with mean 0 and variance 1, times gain, plus shift */
static void normalise(const float *x, float *y, int64_t n, const float *gain, const float *shift)
{
    float mean = 0, variance = 0;
    for (int64_t i = 0; i < n; i++)
        mean += x[i];
    mean /= n;
    for (int64_t i = 0; i < n; i++)
        variance += (x[i] - mean) * (x[i] - mean);
    float scale = 1 / sqrtf(variance / n + NORM_EPSILON);
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) * scale;
    if (gain)
        for (int64_t i = 0; i < n; i++)
            y[i] = y[i] * gain[i] + shift[i];
}

/* pairs of channels (i, i + D / 2) turned by their angles (Su et al. 2021) */
static void rotate(float *x, const float *cosines, const float *sines, int64_t D)
{
    for (int64_t i = 0; i < D / 2; i++) {
        float left = x[i], right = x[i + D / 2];
        x[i] = left * cosines[i] - right * sines[i];
        x[i + D / 2] = left * sines[i] + right * cosines[i];
    }
}

/* e^x to seven digits, for x <= 0: 2^whole from the exponent bits, 2^part from its series */
INLINE floats exponential(floats x)
{
    floats power = larger(x, (floats){0} - 87) * 1.44269504f;
    words whole = __builtin_convertvector(power - 0.5f, words);
    floats part = (power - __builtin_convertvector(whole, floats)) * 0.693147181f;
    floats series = 1 + part * (1 + part * (0.5f + part * (1.f / 6 + part * (1.f / 24 + part * (1.f / 120 + part / 720)))));
    return series * (floats)((whole + 127) << 23);
}

/* Turns scores (n,) into weights; what they sum up to. Then each is multiplied with its scale, unless that is null. There is
   room up to the next of LANES. */
INLINE float weigh(float *scores, int64_t n, const float *scales)
{
    floats most = (floats){0} + scores[0], total = {0};
    for (int64_t t = n; t < rounded_up(n, LANES); t++)
        scores[t] = -INFINITY;
    for (int64_t t = 0; t < n; t += LANES)
        most = larger(most, *(floats *)(scores + t));
    most = (floats){0} + largest(most);
    for (int64_t t = 0; t < n; t += LANES) {
        floats weights = exponential(*(floats *)(scores + t) - most);
        total += weights;
        if (scales)
            weights *= *(const floats *)(scales + t);
        *(floats *)(scores + t) = weights;
    }
    return sum(total);
}

/* The key and the value (D,) of a position are put in their place. */
static void keep(const struct model *m, float *keys, const float *k, const float *v, int64_t place, int64_t P, int64_t D)
{
    float *values = keys + keys_size(m);
    for (int64_t i = 0; i < D; i++) {
        keys[place / PANEL * PANEL * D + i * PANEL + place % PANEL] = k[i];
        values[i / PANEL * PANEL * P + place * PANEL + i % PANEL] = v[i];
    }
}

/* One head: q (D,) looks at the first n of P positions of keys and values; the answer y (D,). `scores` of all positions;
   as many of another head are brought nearer meanwhile, which lies `next` bytes on. */
static void attend(const float *q, const float *keys, const float *values, int64_t next, int64_t n, int64_t P, int64_t D,
                   float *scores, float *y)
{
    const float scale = 1 / sqrtf(D);
    floats sums[1][VECTORS];
    for (int64_t t = 0; t < n; t += PANEL) {
        const float *panel = keys + t * D;
        sweep_one(0, panel, (const char *)panel + next, q, D, sums);
        for (int v = 0; v < VECTORS; v++)
            *(floats *)(scores + t + v * LANES) = sums[0][v] * scale;
    }
    const float share = 1 / weigh(scores, n, NULL);
    for (int64_t i = 0; i < D; i += PANEL) {
        const float *panel = values + i * P;
        sweep_one(0, panel, (const char *)panel + next, scores, n, sums);
        for (int64_t j = 0; j < PANEL && i + j < D; j++)
            y[i + j] = ((float *)sums[0])[j] * share;
    }
}

/* The parts of a head that is kept in bytes. */
struct byte_head {
    int8_t *keys, *values;
    float *key_scales, *value_scales; /* (P,) each, by position */
};

static struct byte_head byte_head(const struct model *m, char *cache)
{
    int64_t P = rounded_up(m->block_size, PANEL);
    int8_t *keys = (int8_t *)cache, *values = keys + keys_size(m);
    float *scales = (float *)(values + values_size(m));
    return (struct byte_head){keys, values, scales, scales + P};
}

/* x (D,) as bytes in shorts (D,); their scale */
INLINE float round_to_bytes(const float *x, int64_t D, int16_t *shorts)
{
    float scale = greatest(x, D) / BYTE_MAX;
    shorten(x, D, scale, shorts);
    return scale;
}

/* `keep` for bytes. `shorts` (D,) */
static void keep_bytes(struct byte_head head, const float *k, const float *v, int64_t place, int64_t P, int64_t D,
                       int16_t *shorts)
{
    int8_t *key = head.keys + place / PANEL * PANEL * rounded_up(D, 2) + place % PANEL * 2;
    int8_t *value = head.values + place / 2 * 2 * PANEL + place % 2;
    head.key_scales[place] = round_to_bytes(k, D, shorts);
    for (int64_t i = 0; i < D; i += 2, key += 2 * PANEL)
        key[0] = shorts[i], key[1] = shorts[i + 1];
    head.value_scales[place] = round_to_bytes(v, D, shorts);
    for (int64_t first = 0; first < D; first += PANEL, value += PANEL * P)
        for (int64_t i = first; i < D && i < first + PANEL; i++)
            value[2 * (i - first)] = shorts[i];
}

/* `attend` for bytes */
static void attend_bytes(const float *q, struct byte_head head, int64_t next, int64_t n,
                         int64_t P, int64_t D, float *scores, int16_t *shorts, float *stretches, float *y)
{
    const float most = fminf(SHORT_MAX, INT32_MAX / (127 * D)); /* no sum of D products exceeds 32 bits */
    const float scale = greatest(q, D) / most, rooted = scale / sqrtf(D);
    floats sums[COLUMNS][VECTORS];
    words s[COLUMNS][VECTORS];
    shorten(q, D, scale, shorts);
    for (int64_t t = 0; t < n; t += PANEL) {
        const int8_t *panel = head.keys + t * rounded_up(D, 2);
        for (int64_t j = t; j < t + PANEL; j += LINE / sizeof(float)) {
            __builtin_prefetch((char *)(head.key_scales + j) + next);
            __builtin_prefetch((char *)(head.value_scales + j) + next);
        }
        sum_products(1, panel, panel + next, shorts, D, 0, rounded_up(D, 2), s);
        for (int v = 0; v < VECTORS; v++)
            *(floats *)(scores + t + v * LANES) =
                __builtin_convertvector(s[0][v], floats) * (rooted * *(floats *)(head.key_scales + t + v * LANES));
    }
    const float share = 1 / weigh(scores, n, head.value_scales);
    shorten_rows(scores, 1, n, shorts, stretches);
    for (int64_t i = 0; i < D; i += PANEL) {
        const int8_t *panel = head.values + i * P;
        sweep_bytes(1, panel, panel + next, shorts, stretches, n, sums);
        for (int64_t j = 0; j < PANEL && i + j < D; j++)
            y[i + j] = ((float *)sums[0])[j] * share;
    }
}

/* All heads of one stream read a column, the one at `position`: put its keys and values into the cache, and their answers
   into y (C,) unless that is null. qkv (3C,), angles (D / 2,). */
static void read_column(const struct model *m, const struct state *s, float *qkv, char *cache, int64_t position,
                        const float *cosines, const float *sines, float *scores, float *y)
{
    int64_t C = m->n_embd, D = C / m->n_head, S = m->block_size, P = rounded_up(S, PANEL), size = head_bytes(m);
    int64_t n = position < S ? position + 1 : S, place = position % S;
    for (float *q = qkv, *k = q + C; m->is_modern && q < qkv + C; q += D, k += D) {
        normalise(q, q, D, NULL, NULL);
        normalise(k, k, D, NULL, NULL);
        rotate(q, cosines, sines, D);
        rotate(k, cosines, sines, D);
    }
    for (int64_t h = 0; h < m->n_head; h++) {
        const float *k = qkv + C + h * D, *v = k + C;
        if (m->in_bytes)
            keep_bytes(byte_head(m, cache + h * size), k, v, place, P, D, s->shorts);
        else
            keep(m, (float *)(cache + h * size), k, v, place, P, D);
    }
    for (int64_t h = 0; h < m->n_head && y; h++) {
        const float *q = qkv + h * D, *keys = (const float *)(cache + h * size);
        if (m->in_bytes)
            attend_bytes(q, byte_head(m, cache + h * size), size, n, P, D, scores, s->shorts, s->stretches,
                         y + h * D);
        else
            attend(q, keys, keys + keys_size(m), size, n, P, D, scores, y + h * D);
    }
}

/* max(x, 0), squared in the modern model */
static void rectify(const struct model *m, float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = x[i] > 0 ? x[i] : 0;
    if (m->is_modern)
        for (int64_t i = 0; i < n; i++)
            x[i] *= x[i];
}

/* The (k+1)-gram made of k-gram `gram` and one more token; -1 where the text has none. */
static int64_t extension(const struct prior *p, int64_t k, int64_t gram, int64_t token)
{
    if (gram < 0)
        return -1;
    int64_t low = p->grams[k].firsts[gram], end = p->grams[k].firsts[gram + 1], high = end;
    const int32_t *symbols = p->grams[k + 1].symbols;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (symbols[middle] < token)
            low = middle + 1;
        else
            high = middle;
    }
    return low < end && symbols[low] == token ? low : -1;
}

/* One stream's prior reads a token: contexts (order,) move on, row (V,) gets log-probabilities, interpolated from the
   longest context with a dense row upwards. */
static void read_prior(const struct prior *p, int64_t V, int64_t token, int64_t *contexts, float *row)
{
    for (int64_t k = p->order - 1; k > 0; k--)
        contexts[k] = extension(p, k - 1, contexts[k - 1], token);
    int64_t d = p->dense_length, is_dense = d > 0 && contexts[d] >= 0;
    memcpy(row, is_dense ? p->dense + contexts[d] * V : p->unigram, V * sizeof *row);
    for (int64_t k = is_dense ? d + 1 : 1; k < p->order && contexts[k] >= 0; k++) {
        for (int64_t i = 0; i < V; i++)
            row[i] *= p->grams[k].backoffs[contexts[k]];
        for (int64_t g = p->grams[k].firsts[contexts[k]]; g < p->grams[k].firsts[contexts[k] + 1]; g++)
            row[p->grams[k + 1].symbols[g]] += p->grams[k + 1].shares[g];
    }
    for (int64_t i = 0; i < V; i++)
        row[i] = logf(row[i]);
}

/* which of LANES numbers are x: a bit for each */
INLINE uint32_t equal(const int32_t *numbers, int32_t x)
{
#if LANES == 16
    return _mm512_cmpeq_epi32_mask(_mm512_loadu_si512(numbers), _mm512_set1_epi32(x));
#elif LANES == 8
    return _mm256_movemask_ps((__m256)(*(const words *)numbers == x));
#else
    uint32_t bits = 0;
    for (int l = 0; l < LANES; l++)
        bits |= (uint32_t)(numbers[l] == x) << l;
    return bits;
#endif
}

/* Where the text up to the character at `end` of a window stands in it before: match[0] is the length of the longest
   match, match[1] the character after it, and candidates (V,), if wanted, has for each character the longest match that
   it followed. */
static void find_matches(const int64_t *window, const int32_t *folds, int64_t end, int64_t V, int64_t *match,
                         int64_t *candidates)
{
    match[0] = match[1] = 0;
    for (int64_t v = 0; candidates && v < V; v++)
        candidates[v] = 0;
    for (int64_t first = end > REACH ? end - REACH : 0; first < end; first += LANES) {
        uint32_t bits = equal(folds + first, folds[end]);
        if (end - first < LANES)
            bits &= (1u << (end - first)) - 1;
        for (; bits; bits &= bits - 1) {
            int64_t e = first + __builtin_ctz(bits), length = 1, follower = window[e + 1];
            while (length < LONGEST && length <= e && folds[e - length] == folds[end - length])
                length++;
            if (length >= match[0])
                match[0] = length, match[1] = follower;
            if (candidates && length > candidates[follower])
                candidates[follower] = length;
        }
    }
}

/* What all members are told of the N columns: the prior's rows and the matches in the window. */
static void look_up(const struct model *m, struct state *s, int64_t b, int64_t streams, int64_t N)
{
    int64_t V = m->vocab_size, T = N / streams;
    for (int64_t n = 0; n < N; n++) {
        int64_t stream = b + n / T, end = s->length + n % T;
        const int64_t *window = s->window + stream * s->room;
        if (m->prior)
            read_prior(m->prior, V, window[end], s->contexts + stream * m->prior->order, s->rows + n * V);
        if (m->folded)
            find_matches(window, s->folds + stream * s->room, end, V, s->matches + 2 * n,
                         n % T == T - 1 ? s->candidates + stream * V : NULL);
    }
}

/* The n-gram embeddings of what ends at `end` of a window are added to x (C,): a row of each size by the hash of
   its characters; what lies before the text counts as character 0. */
static void add_ngrams(const struct model *m, const float *table, const int64_t *window, int64_t end, float *x)
{
    const uint64_t V = m->vocab_size;
    uint64_t key = window[end];
    for (int n = 0; n < NGRAM_SIZES; n++) {
        uint64_t size = m->ngram_tables[n];
        key = key * V + (end > n ? window[end - 1 - n] : 0);
        uint64_t spread = n == 0 && V * V <= size ? key : (key * 0x9E3779B1 & 0xFFFFFFFFFFFF) >> 16;
        add(x, table + spread % size * m->n_embd, m->n_embd);
        table += size * m->n_embd;
    }
}

/* What enters a member's first block: x (N, C). `scratch` (N, C). */
static void embed(const struct model *m, const struct network *w, struct state *s, int64_t b, int64_t streams, int64_t N,
                  float *x, float *scratch)
{
    int64_t C = m->n_embd, V = m->vocab_size, T = N / streams;
    for (int64_t n = 0; n < N; n++) {
        int64_t end = s->length + n % T;
        const int64_t *window = s->window + (b + n / T) * s->room, *match = s->matches + 2 * n;
        memcpy(x + n * C, w->token_embedding + window[end] * C, C * sizeof *x);
        if (w->ngram_embedding)
            add_ngrams(m, w->ngram_embedding, window, end, x + n * C);
        if (w->match_embedding)
            add(x + n * C, w->match_embedding + (match[0] * V + match[1]) * C, C);
        if (w->position_embedding)
            add(x + n * C, w->position_embedding + (s->position + n % T) * C, C);
    }
    if (m->prior) {
        multiply(s, w->prior_embedding, NULL, s->rows, scratch, N, C, V);
        add(x, scratch, N * C);
    }
    for (int64_t n = 0; n < N && m->is_modern; n++)
        normalise(x + n * C, x + n * C, C, NULL, NULL);
}

/* One transformer block on x (N, C), in place, `cache` being the first stream's. After the last block the first of each
   stream's columns are of no use: only their keys and values are computed, and x becomes (streams, C). `scratch` (N, 6C)
   and scores. */
static void transform(const struct model *m, const struct state *s, const struct layer *l, float *x, char *cache,
                      int64_t streams, int64_t N, int is_last, float *scratch)
{
    int64_t C = m->n_embd, D = C / m->n_head, T = N / streams, first = is_last ? T - 1 : 0;
    float *normal = scratch, *added = scratch + N * C, *wide = scratch + 2 * N * C, *scores = wide + 4 * N * C;
    for (int64_t n = 0; n < N; n++)
        normalise(x + n * C, normal + n * C, C, l->attention_gain, l->attention_shift);
    multiply(s, l->qkv, NULL, normal, wide, N, 3 * C, C);
    for (int64_t n = 0; n < N; n++) {
        int64_t t = n % T;
        char *mine = cache + n / T * m->n_head * head_bytes(m);
        read_column(m, s, wide + n * 3 * C, mine, s->position + t, s->cosines + t * (D / 2), s->sines + t * (D / 2),
                    scores, t >= first ? normal + n * C : NULL);
    }
    if (is_last) {
        for (int64_t b = 0; b < streams; b++) {
            memmove(normal + b * C, normal + (b * T + T - 1) * C, C * sizeof *x);
            memmove(x + b * C, x + (b * T + T - 1) * C, C * sizeof *x);
        }
        N = streams;
    }
    multiply(s, l->projection, l->projection_bias, normal, added, N, C, C);
    add(x, added, N * C);

    for (int64_t n = 0; n < N; n++)
        normalise(x + n * C, normal + n * C, C, l->feed_forward_gain, l->feed_forward_shift);
    multiply(s, l->expand, l->expand_bias, normal, wide, N, 4 * C, C);
    rectify(m, wide, N * 4 * C);
    multiply(s, l->contract, l->contract_bias, wide, added, N, C, 4 * C);
    add(x, added, N * C);
}

/* One stream's matches are added to logits (V,), as far as the normalised stream x (C,) lets them. */
static void add_matches(const struct model *m, const struct network *w, const int64_t *match, const int64_t *candidates,
                        const float *x, float *logits)
{
    float gate = 1;
    for (int64_t i = 0; i < m->n_embd; i++)
        gate += x[i] * w->match_gate[i];
    for (int64_t v = 0; v < m->vocab_size; v++)
        logits[v] += gate * w->candidate_bias[candidates[v]];
    if (match[0])
        logits[match[1]] += gate * w->follower_bias[match[0]];
}

/* A member reads the N columns; logits (streams, V) are its own of the next characters. */
static void think(const struct model *m, int64_t member, struct state *s, int64_t b, int64_t streams, int64_t N,
                  float *logits)
{
    int64_t C = m->n_embd, V = m->vocab_size, T = N / streams, size = m->n_head * head_bytes(m);
    const struct network *w = m->members + member;
    float *x = s->scratch, *rest = x + N * C;
    char *cache = s->cache + (member * m->n_layer * s->batch_size + b) * size;
    embed(m, w, s, b, streams, N, x, rest);
    for (int64_t layer = 0; layer < m->n_layer; layer++, cache += s->batch_size * size)
        transform(m, s, w->layers + layer, x, cache, streams, N, layer == m->n_layer - 1, rest);
    for (int64_t n = 0; n < streams; n++)
        normalise(x + n * C, rest + n * C, C, w->gain, w->shift);
    multiply(s, w->head, w->head_bias, rest, logits, streams, V, C);
    for (int64_t i = 0; i < streams * V && m->logit_cap > 0; i++)
        logits[i] = m->logit_cap * tanhf(logits[i] / m->logit_cap);
    for (int64_t n = 0; n < streams && m->folded; n++)
        add_matches(m, w, s->matches + 2 * (n * T + T - 1), s->candidates + (b + n) * V, rest + n * C, logits + n * V);
    if (!m->prior)
        return;
    multiply(s, w->prior_trust, NULL, rest, s->gates, streams, V, C);
    for (int64_t n = 0; n < streams; n++)
        for (int64_t i = 0; i < V; i++)
            logits[n * V + i] += (w->prior_gate + s->gates[n * V + i]) * s->rows[(n * T + T - 1) * V + i];
}

/* The probabilities that logits (V,) stand for are added to mixed (V,). */
static void mix(const float *logits, double *mixed, int64_t V)
{
    double total = 0;
    float most = logits[0];
    for (int64_t i = 1; i < V; i++)
        most = logits[i] > most ? logits[i] : most;
    for (int64_t i = 0; i < V; i++)
        total += exp(logits[i] - most);
    for (int64_t i = 0; i < V; i++)
        mixed[i] += exp(logits[i] - most) / total;
}

/* `streams` streams from `b` on read the N / streams characters of their windows that follow the first s->length; their
   logits are those of the next characters: a single member's, or the logarithms of the mean probabilities of all. */
static void read_on(const struct model *m, struct state *s, int64_t b, int64_t streams, int64_t N)
{
    int64_t V = m->vocab_size;
    float *logits = s->logits + b * V;
    double *mixed = s->mixed + b * V;
    look_up(m, s, b, streams, N);
    memset(mixed, 0, streams * V * sizeof *mixed);
    for (int64_t member = 0; member < m->n_members; member++) {
        think(m, member, s, b, streams, N, logits);
        for (int64_t n = 0; n < streams && m->n_members > 1; n++)
            mix(logits + n * V, mixed + n * V, V);
    }
    for (int64_t i = 0; i < streams * V && m->n_members > 1; i++)
        logits[i] = log(mixed[i] / m->n_members);
}

/* Stream b stands where the first one does. */
static void follow_first(const struct model *m, struct state *s, int64_t b)
{
    int64_t size = m->n_head * head_bytes(m), V = m->vocab_size, order = m->prior ? m->prior->order : 0;
    for (int64_t layer = 0; layer < m->n_members * m->n_layer; layer++) {
        char *first = s->cache + layer * s->batch_size * size;
        memcpy(first + b * size, first, size);
    }
    memcpy(s->contexts + b * order, s->contexts, order * sizeof *s->contexts);
    memcpy(s->logits + b * V, s->logits, V * sizeof *s->logits);
}

/* The angles of the next T positions, in double precision, as errors add up. */
static void turn(const struct model *m, struct state *s, int64_t T)
{
    int64_t pairs = m->n_embd / m->n_head / 2;
    for (int64_t t = 0; t < T; t++)
        for (int64_t i = 0; i < pairs; i++) {
            double cosine = s->turned[i], sine = s->turned[pairs + i];
            s->cosines[t * pairs + i] = cosine;
            s->sines[t * pairs + i] = sine;
            s->turned[i] = cosine * m->turns[i] - sine * m->turns[pairs + i];
            s->turned[pairs + i] = cosine * m->turns[pairs + i] + sine * m->turns[i];
        }
}

/* Every stream reads the T characters that follow in its window. */
static void read_window(const struct model *m, struct state *s, int64_t T)
{
    if (m->is_modern)
        turn(m, s, T);
    if (T == 1)
        read_on(m, s, 0, s->batch_size, s->batch_size);
    for (int64_t b = 0; b < s->batch_size && T > 1; b++)
        if (b && s->are_alike)
            follow_first(m, s, b);
        else
            read_on(m, s, b, 1, T);
    s->length += T;
    s->position += T;
}

/* Only the newest `kept` characters stay in the windows. */
static void forget(struct state *s, int64_t kept)
{
    for (int64_t b = 0; b < s->batch_size; b++) {
        int64_t *window = s->window + b * s->room;
        int32_t *folds = s->folds + b * s->room;
        memmove(window, window + s->length - kept, kept * sizeof *window);
        memmove(folds, folds + s->length - kept, kept * sizeof *folds);
    }
    s->length = kept;
}

/* Every stream begins anew, with nothing read. */
void streams_start(const struct model *m, struct state *s)
{
    s->position = s->length = s->is_unread = 0;
    s->are_alike = 1;
    for (int64_t b = 0; b < s->batch_size; b++)
        for (int64_t k = 0; m->prior && k < m->prior->order; k++)
            s->contexts[b * m->prior->order + k] = k ? -1 : 0;
    for (int64_t i = 0; m->is_modern && i < m->n_embd / m->n_head / 2; i++) {
        s->turned[i] = 1;
        s->turned[m->n_embd / m->n_head / 2 + i] = 0;
    }
}

/* Every stream reads T more characters of tokens (B, T), no more than the block size. A classic model's full window drops
   its older part and is read anew; else a character that comes takes the place of one that goes. */
void streams_read(const struct model *m, struct state *s, const int64_t *tokens, int64_t T)
{
    int64_t unread = T;
    if (s->length + T > s->room) {
        forget(s, m->is_modern ? HISTORY : m->block_size - s->stride);
        if (!m->is_modern) {
            unread += s->length;
            s->position = 0;
        }
    }
    for (int64_t b = 0; b < s->batch_size; b++) {
        memcpy(s->window + b * s->room + s->length, tokens + b * T, T * sizeof *tokens);
        for (int64_t t = 0; t < T && m->folded; t++)
            s->folds[b * s->room + s->length + t] = m->folded[tokens[b * T + t]];
        s->are_alike = s->are_alike && !memcmp(tokens, tokens + b * T, T * sizeof *tokens);
    }
    s->length += T - unread;
    read_window(m, s, unread);
}

static int by_chance(const void *left, const void *right) /* the likelier first, then the lower id */
{
    const double *a = left, *b = right;
    return a[0] != b[0] ? (a[0] < b[0]) - (a[0] > b[0]) : (a[1] > b[1]) - (a[1] < b[1]);
}

/* Keep the top_k likeliest of probabilities (V,), and of those the fewest that hold the share top_p of the whole. */
static void keep_likeliest(double *probabilities, int64_t V, const struct draw *d, double *ranked)
{
    double total = 0, held = 0;
    for (int64_t i = 0; i < V; i++) {
        ranked[2 * i] = probabilities[i];
        ranked[2 * i + 1] = i;
    }
    qsort(ranked, V, 2 * sizeof *ranked, by_chance);
    int64_t most = d->top_k > 0 && d->top_k < V ? d->top_k : V, kept = 0;
    for (int64_t r = 0; r < most; r++)
        total += ranked[2 * r];
    for (; kept < most && (d->top_p >= 1 || held < d->top_p * total || kept == 0); kept++)
        held += ranked[2 * kept];
    for (int64_t r = kept; r < V; r++)
        probabilities[(int64_t)ranked[2 * r + 1]] = 0;
}

/* The next token after logits (V,), as in sampling.py. `chances` (3V). */
static int64_t choose(const float *logits, int64_t V, const struct draw *d, double uniform, double *chances)
{
    int64_t best = 0;
    double total = 0, most = 0, held = 0;
    for (int64_t i = 1; i < V; i++)
        best = logits[i] > logits[best] ? i : best;
    if (d->temperature == 0)
        return best;
    for (int64_t i = 0; i < V; i++)
        total += chances[i] = exp(logits[i] / d->temperature - logits[best] / d->temperature);
    for (int64_t i = 0; i < V; i++)
        chances[i] /= total;
    if ((d->top_k > 0 && d->top_k < V) || d->top_p < 1)
        keep_likeliest(chances, V, d, chances + V);
    for (int64_t i = 0; i < V; i++)
        most = chances[i] > most ? chances[i] : most;
    total = 0;
    for (int64_t i = 0; i < V; i++) {
        if (chances[i] < d->min_p * most)
            chances[i] = 0;
        total += chances[i];
    }
    for (int64_t i = 0; i < V; i++) {
        held += chances[i];
        if (held > uniform * total)
            return i;
    }
    return best;
}

/* Every stream writes `count` characters: their tokens (count, B), and the logits (count, B, V) they were drawn from by
   uniforms (count, B). */
void streams_write(const struct model *m, struct state *s, const struct draw *d, const double *uniforms, int64_t count,
              int64_t *tokens, float *logits)
{
    int64_t B = s->batch_size, V = m->vocab_size;
    for (int64_t j = 0; j < count; j++) {
        if (s->is_unread)
            streams_read(m, s, s->tokens, 1);
        memcpy(logits + j * B * V, s->logits, B * V * sizeof *logits);
        for (int64_t b = 0; b < B; b++)
            tokens[j * B + b] = s->tokens[b] = choose(s->logits + b * V, V, d, uniforms[j * B + b], s->chances);
        s->is_unread = 1;
    }
}

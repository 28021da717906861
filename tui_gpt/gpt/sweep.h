/* Products with matrices: panels of single or half precision are swept, and every lane of the registers adds up an output
   of its own. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#define PANEL 32 /* outputs computed together, by one sweep over contiguous memory */
#if defined __AVX512F__
#define LANES 16        /* floats in a register */
#define COLUMNS 12      /* columns that share a sweep, as many as the registers hold sums for */
#define BYTE_COLUMNS 12 /* the same of bytes, never fewer: there is room for the sums of both */
#define WAYS 4          /* independent sums where there is one column, so that no addition waits for the last */
#elif defined __AVX__
#define LANES 8
#define COLUMNS 2
#define BYTE_COLUMNS 4 /* more than fit, but they share what it takes to unpack */
#define WAYS 2
#else
#define LANES 4
#define COLUMNS 2
#define BYTE_COLUMNS 2
#define WAYS 1
#endif
#define VECTORS (PANEL / LANES)
#define AHEAD 8192 /* bytes by which weights are fetched before they are used */
#define LINE 64    /* bytes of memory that are fetched together */
#define INLINE static inline __attribute__((always_inline))

typedef float floats __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t words __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

static int64_t rounded_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

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

/* row i of a panel times the columns of x is added to s */
INLINE void sweep_row(const int columns, const int is_half, const void *panel, const void *next, const float *x, int64_t in,
                      int64_t i, floats s[BYTE_COLUMNS][VECTORS])
{
    floats w[VECTORS];
    load_row(is_half, panel, next, i, w);
#pragma GCC unroll 12
    for (int c = 0; c < columns; c++)
#pragma GCC unroll 8
        for (int v = 0; v < VECTORS; v++)
            s[c][v] += w[v] * x[c * in + i];
}

/* sums (columns, PANEL) = one panel times x (columns, in): every lane adds up its own output, in the order of `sweep_one`:
   what is written does not depend on how many texts are */
INLINE void sweep(const int columns, const int is_half, const void *panel, const void *next, const float *x, int64_t in,
                  floats sums[BYTE_COLUMNS][VECTORS])
{
    const int64_t whole = in - in % WAYS;
    for (int k = 0; k < WAYS; k++) {
        floats s[BYTE_COLUMNS][VECTORS];
        memset(s, 0, sizeof s);
        for (int64_t i = k; i < whole; i += WAYS)
            sweep_row(columns, is_half, panel, next, x, in, i, s);
        for (int64_t i = whole; i < in && k == 0; i++)
            sweep_row(columns, is_half, panel, next, x, in, i, s);
#pragma GCC unroll 12
        for (int c = 0; c < columns; c++)
#pragma GCC unroll 8
            for (int v = 0; v < VECTORS; v++)
                if (k)
                    sums[c][v] += s[c][v];
                else
                    sums[c][v] = s[c][v];
    }
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
                     floats sums[BYTE_COLUMNS][VECTORS])
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

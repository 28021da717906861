/* Products of whole numbers, for many texts: what is kept (weights, keys, values) is rounded to bytes, and so is what comes
   to be multiplied with it, so that a row of registers holds four times as many, and some processors multiply and add up
   four at a time (VNNI). Sums are exact, so their order does not matter. What is kept has no sign: 128 stands for zero. */

#include "sweep.h"

#if defined __BYTE_ORDER__ && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the order of bytes in words is that of little-endian processors; others write without this kernel"
#endif

#define STRETCH 256   /* numbers that are rounded to bytes with one scale */
#define FEW 32        /* the same of the weights of attention, of which few are large */
#define BYTE_MAX 127.f
#define BYTE_ZERO 128 /* what stands for zero in bytes without sign */
#define TINY 1e-30f   /* scales below count as zero */
#define TO_NEAREST 0x1.8p23f    /* added to a small number: its last bits are the nearest whole one */
#define NEAREST_BITS 0x4b400000 /* which are those of zero */

typedef int32_t word __attribute__((aligned(1), may_alias));
typedef uint16_t short_lanes __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef uint8_t byte_lanes __attribute__((vector_size(LANES), aligned(1), may_alias));
#if LANES == 16 && defined __AVX512VNNI__ || LANES == 8 && defined __AVXVNNI__
#define HAS_VNNI
typedef int8_t small; /* whole numbers up to BYTE_MAX, four of them in the order 0, 1, 2, 3 */
#else
typedef int16_t small; /* in the order 0, 2, 1, 3 */
#endif
typedef small small_lanes __attribute__((vector_size(LANES * sizeof(small)), aligned(1), may_alias));

struct stretch { /* of whole numbers that are multiplied with bytes */
    float scale;
    int32_t start; /* what the sum of their products begins with, as the bytes have no sign */
};

INLINE int32_t sum_words(words x)
{
#if LANES == 16
    return _mm512_reduce_add_epi32((__m512i)x);
#else
    int32_t result = x[0];
    for (int l = 1; l < LANES; l++)
        result += x[l];
    return result;
#endif
}

/* sums of products, each lane's of its four bytes and the four of x */
INLINE words add_products(words sums, words four, const small *x)
{
#if defined HAS_VNNI && LANES == 16
    return (words)_mm512_dpbusd_epi32((__m512i)sums, (__m512i)four, _mm512_set1_epi32(*(const word *)x));
#elif defined HAS_VNNI
    return (words)_mm256_dpbusd_avx_epi32((__m256i)sums, (__m256i)four, _mm256_set1_epi32(*(const word *)x));
#else
    const words even = four & 0x00ff00ff, odd = (words)((short_lanes)four >> 8);
#if LANES == 16 && defined __AVX512BW__
    return sums + (words)_mm512_madd_epi16((__m512i)even, _mm512_set1_epi32(*(const word *)x)) +
           (words)_mm512_madd_epi16((__m512i)odd, _mm512_set1_epi32(*(const word *)(x + 2)));
#elif LANES == 8 && defined __AVX2__
    return sums + (words)_mm256_madd_epi16((__m256i)even, _mm256_set1_epi32(*(const word *)x)) +
           (words)_mm256_madd_epi16((__m256i)odd, _mm256_set1_epi32(*(const word *)(x + 2)));
#elif LANES == 4 && defined __SSE2__
    return sums + (words)_mm_madd_epi16((__m128i)even, _mm_set1_epi32(*(const word *)x)) +
           (words)_mm_madd_epi16((__m128i)odd, _mm_set1_epi32(*(const word *)(x + 2)));
#else
    return sums + (even & 0xffff) * x[0] + (even >> 16) * x[1] + (odd & 0xffff) * x[2] + (odd >> 16) * x[3];
#endif
#endif
}

/* s (columns, PANEL) += the products of a row of bytes, four inputs of each output, and those four of x (columns, in) */
INLINE void add_row(const int columns, const uint8_t *row, const uint8_t *next, const small *x, int64_t in,
                    words s[BYTE_COLUMNS][VECTORS])
{
    words w[VECTORS];
    for (int j = 0; j < 4 * PANEL; j += LINE)
        __builtin_prefetch(next + j);
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; v++)
        w[v] = *(const words *)(row + 4 * v * LANES);
#pragma GCC unroll 12
    for (int c = 0; c < columns; c++)
#pragma GCC unroll 8
        for (int v = 0; v < VECTORS; v++)
            s[c][v] = add_products(s[c][v], w[v], x + c * in);
}

/* The exact sums s (columns, PANEL) of one panel's products with a stretch of x (columns, in), inputs `i` to `end`, in
   fours; the columns' stretches lie `apart`. Of one column there are several sums, so that no addition waits for the
   last. */
INLINE void sum_products(const int columns, const uint8_t *panel, const uint8_t *next, const small *x,
                         const struct stretch *stretch, int64_t apart, int64_t in, int64_t i, int64_t end,
                         words s[BYTE_COLUMNS][VECTORS])
{
    const int ways = columns == 1 ? WAYS : 1;
    words parts[WAYS][BYTE_COLUMNS][VECTORS];
    memset(parts, 0, sizeof parts);
#pragma GCC unroll 12
    for (int c = 0; c < columns; c++)
#pragma GCC unroll 8
        for (int v = 0; v < VECTORS; v++)
            parts[0][c][v] += stretch[c * apart].start;
    for (; i + 4 * ways <= end; i += 4 * ways)
#pragma GCC unroll 4
        for (int k = 0; k < ways; k++)
            add_row(columns, panel + (i + 4 * k) * PANEL, next + (i + 4 * k) * PANEL, x + i + 4 * k, in, parts[k]);
    for (; i < end; i += 4)
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

/* `sweep` for bytes: sums (columns, PANEL) = one panel times x (columns, in) in stretches of `size` */
INLINE void sweep_bytes(const int columns, const int size, const uint8_t *panel, const uint8_t *next, const small *x,
                        const struct stretch *stretches, int64_t in, floats sums[BYTE_COLUMNS][VECTORS])
{
    int64_t padded = rounded_up(in, 4), apart = rounded_up(in, size) / size;
    memset(sums, 0, columns * sizeof *sums);
    for (int64_t i = 0; i < padded; i += size, stretches++) {
        words s[BYTE_COLUMNS][VECTORS];
        int64_t end = i + size < padded ? i + size : padded;
        sum_products(columns, panel, next, x, stretches, apart, padded, i, end, s);
#pragma GCC unroll 12
        for (int c = 0; c < columns; c++)
#pragma GCC unroll 8
            for (int v = 0; v < VECTORS; v++)
                sums[c][v] += __builtin_convertvector(s[c][v], floats) * stretches[c * apart].scale;
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

/* what numbers whose greatest is `scale` times BYTE_MAX are multiplied with to be whole ones */
INLINE float factor_of(float scale) { return scale > TINY ? 1 / scale : 0; }

/* x times factor as the nearest whole number */
INLINE int32_t nearest(float x, float factor)
{
    float sum = x * factor + TO_NEAREST;
    int32_t bits;
    memcpy(&bits, &sum, sizeof bits);
    return bits - NEAREST_BITS;
}

INLINE words nearest_words(const float *x, float factor)
{
    return (words)(*(const floats *)x * factor + TO_NEAREST) - NEAREST_BITS;
}

/* x (n,) as whole numbers with one scale, followed by zeros up to a multiple of four */
INLINE struct stretch shrink(const float *x, int64_t n, small *to)
{
    const float scale = greatest(x, n) / BYTE_MAX, factor = factor_of(scale);
    words sums = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        words whole = nearest_words(x + i, factor);
        *(small_lanes *)(to + i) = __builtin_convertvector(whole, small_lanes);
        sums += whole;
    }
    int32_t start = sum_words(sums);
    for (; i < n; i++)
        start += to[i] = nearest(x[i], factor);
    for (; i % 4; i++)
        to[i] = 0;
#ifndef HAS_VNNI
    for (i = 0; i < n; i += 4) {
        small second = to[i + 1];
        to[i + 1] = to[i + 2], to[i + 2] = second;
    }
#endif
    return (struct stretch){scale, (int32_t)(-BYTE_ZERO * (uint32_t)start)};
}

/* x (n,) as bytes; their scale */
INLINE float round_to_bytes(const float *x, int64_t n, uint8_t *to)
{
    const float scale = greatest(x, n) / BYTE_MAX, factor = factor_of(scale);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        *(byte_lanes *)(to + i) = __builtin_convertvector(nearest_words(x + i, factor) + BYTE_ZERO, byte_lanes);
    for (; i < n; i++)
        to[i] = nearest(x[i], factor) + BYTE_ZERO;
    return scale;
}

/* N rows of x (N, n), in stretches of `size` */
INLINE void shrink_rows(const int size, const float *x, int64_t N, int64_t n, small *to, struct stretch *stretches)
{
    for (int64_t row = 0; row < N; row++, to += rounded_up(n, 4), x += n)
        for (int64_t i = 0; i < n; i += size)
            *stretches++ = shrink(x + i, n - i < size ? n - i : size, to + i);
}

/* as many columns as fit into one sweep; how many they were */
INLINE int64_t swept_bytes(const uint8_t *panel, const small *x, const struct stretch *stretches, int64_t N, int64_t in,
                           floats sums[BYTE_COLUMNS][VECTORS])
{
    const uint8_t *next = panel + AHEAD;
    if (N >= BYTE_COLUMNS)
        return sweep_bytes(BYTE_COLUMNS, STRETCH, panel, next, x, stretches, in, sums), BYTE_COLUMNS;
#if BYTE_COLUMNS > 8
    if (N >= 8)
        return sweep_bytes(8, STRETCH, panel, next, x, stretches, in, sums), 8;
    if (N >= 4)
        return sweep_bytes(4, STRETCH, panel, next, x, stretches, in, sums), 4;
#endif
    return sweep_bytes(1, STRETCH, panel, next, x, stretches, in, sums), 1;
}

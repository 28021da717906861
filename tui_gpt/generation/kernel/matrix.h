/* Matrix-vector and matrix-matrix products.

   A matrix (out, in) is stored in panels (in, PANEL) of PANEL outputs each. A pass over the contiguous memory of a
   panel computes PANEL outputs, one per register lane, each summed from the first input to the last. So the result
   does not depend on how many columns are multiplied at once. */

#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#define PANEL 32
#if defined __AVX512F__
#define LANES 16  /* floats in a register */
#define COLUMNS 8 /* columns multiplied in one pass, limited by the registers for their sums */
#elif defined __AVX__
#define LANES 8
#define COLUMNS 3
#else
#define LANES 4
#define COLUMNS 1
#endif
#define VECTORS (PANEL / LANES)
#define INLINE static inline __attribute__((always_inline))

typedef float floats __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

struct matrix { /* (out, in) */
    const void *panels;
    int64_t rows;    /* rows of each panel, at least `in` */
    int64_t is_half; /* half precision, else single precision */
    float scale;     /* the stored numbers times this are the weights */
};

INLINE float half_to_float(uint16_t half)
{
#ifdef __ARM_FP16_FORMAT_IEEE
    __fp16 value;
    memcpy(&value, &half, sizeof value);
    return value;
#else /* shift the bits into place; the difference of the exponents' biases becomes a factor */
    uint32_t bits = (uint32_t)(half & 0x8000) << 16 | (uint32_t)(half & 0x7fff) << 13;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value * 0x1p112f;
#endif
}

/* Load a row (PANEL,) of a panel as single-precision numbers. */
INLINE void load_row(const int is_half, const char *row, floats loaded[VECTORS])
{
    if (!is_half) {
        memcpy(loaded, row, PANEL * sizeof(float));
        return;
    }
#if defined __AVX512F__
    for (int v = 0; v < VECTORS; v++)
        loaded[v] = (floats)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)row + v));
#elif defined __F16C__
    for (int v = 0; v < VECTORS; v++)
        loaded[v] = (floats)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)row + v));
#else
    float wide[PANEL];
    uint16_t halves[PANEL];
    memcpy(halves, row, sizeof halves);
    for (int j = 0; j < PANEL; j++)
        wide[j] = half_to_float(halves[j]);
    memcpy(loaded, wide, sizeof wide);
#endif
}

/* y (n,) = sums (n,) times a factor, plus bias (n,) unless it is null */
INLINE void store(const float *sums, float factor, const float *bias, float *y, int64_t n)
{
    for (int64_t j = 0; j < n; j++)
        y[j] = sums[j] * factor;
    for (int64_t j = 0; bias && j < n; j++)
        y[j] += bias[j];
}

/* Multiply `panels` panels, beginning at output `first`, by `columns` columns: y (columns, out) = matrix x (columns,
   in) + bias */
INLINE void multiply_block(const int panels, const int columns, const int is_half, const struct matrix *matrix,
                           const float *bias, const float *x, float *y, int64_t out, int64_t in, int64_t first)
{
    const int64_t row_size = PANEL * (is_half ? 2 : 4), panel_size = matrix->rows * row_size;
    const char *rows = (const char *)matrix->panels + first / PANEL * panel_size;
    floats sums[2][COLUMNS][VECTORS], loaded[VECTORS];
    memset(sums, 0, sizeof sums);
    for (int64_t i = 0; i < in; i++, rows += row_size)
#pragma GCC unroll 2
        for (int p = 0; p < panels; p++) {
            __builtin_prefetch(rows + (panels + p) * panel_size); /* the same row of the next panels */
            load_row(is_half, rows + p * panel_size, loaded);
#pragma GCC unroll 8
            for (int c = 0; c < columns; c++)
#pragma GCC unroll 8
                for (int v = 0; v < VECTORS; v++)
                    sums[p][c][v] += loaded[v] * x[c * in + i];
        }
    for (int p = 0; p < panels; p++, first += PANEL)
        for (int c = 0; c < columns; c++)
            if (out - first >= PANEL)
                store((const float *)sums[p][c], matrix->scale, bias ? bias + first : NULL, y + c * out + first, PANEL);
            else
                store((const float *)sums[p][c], matrix->scale, bias ? bias + first : NULL, y + c * out + first, out - first);
}

/* Multiply one panel, or for a single column two (which keeps its registers busy), by all columns; return the number of
   panels. */
INLINE int64_t multiply_panels(const int is_half, const struct matrix *matrix, const float *bias, const float *x, float *y,
                               int64_t N, int64_t out, int64_t in, int64_t first)
{
    if (N == 1 && first + PANEL < out)
        return multiply_block(2, 1, is_half, matrix, bias, x, y, out, in, first), 2;
    for (; N >= COLUMNS; N -= COLUMNS, x += COLUMNS * in, y += COLUMNS * out)
        multiply_block(1, COLUMNS, is_half, matrix, bias, x, y, out, in, first);
    for (; COLUMNS > 2 && N >= 2; N -= 2, x += 2 * in, y += 2 * out)
        multiply_block(1, 2, is_half, matrix, bias, x, y, out, in, first);
    if (N)
        multiply_block(1, 1, is_half, matrix, bias, x, y, out, in, first);
    return 1;
}

/* y (N, out) = matrix x (N, in), plus bias (out,) unless it is null */
static __attribute__((noinline)) void multiply(const struct matrix *matrix, const float *bias, const float *x, float *y, int64_t N, int64_t out,
                     int64_t in)
{
    for (int64_t first = 0; first < out;)
        first += PANEL * (matrix->is_half ? multiply_panels(1, matrix, bias, x, y, N, out, in, first)
                                          : multiply_panels(0, matrix, bias, x, y, N, out, in, first));
}

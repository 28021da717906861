/* One step of decoding: every stream reads one character and gets the logits of the next.

   This is inference with nothing around it. All of it is here: embedding, normalisation, attention over cached keys and
   values, feed-forward, head, and the look-up in the n-gram prior. It computes what the decoders in decode.py compute
   with PyTorch, which stay the reference; only the order of additions differs. Prefill stays with PyTorch.

   Arrays are row-major float32, innermost dimension last: B streams, C = n_embd, H heads of D = C / H, V characters,
   S = block_size. Matrices are packed in half precision, as reading them is what a character costs (see `sweep`). A null
   pointer leaves a part out. The structs are mirrored in kernel_decode.py. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LANES 16
#define PANEL (2 * LANES) /* outputs computed together, by one sweep over contiguous memory */
#ifdef __AVX512F__
#define STREAMS 8 /* streams that share a sweep, as many as the registers hold sums for */
#else
#define STREAMS 2
#endif
#define MAX_ORDER 16
#define NGRAM_SIZES 3 /* n-gram embeddings of 2, 3, 4 characters */
#define NORM_EPSILON 1e-5f

typedef float floats __attribute__((vector_size(LANES * 4), aligned(4)));
typedef int32_t words __attribute__((vector_size(LANES * 4), aligned(4)));

struct matrix { /* (out, in) in panels of PANEL outputs, each panel as (in, LANES) words, the last one padded */
    const int32_t *panels; /* two weights in half precision a word: output o in the low bits, o + LANES in the high */
    float scale;           /* what the sums of `sweep` are multiplied with */
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

struct model {
    int64_t n_layer, n_head, n_embd, block_size, vocab_size;
    int64_t is_modern;               /* normalised embedding, queries and keys, rotary positions, squared ReLU */
    float logit_cap, prior_gate;
    const float *token_embedding;    /* (V, C) */
    const float *position_embedding; /* (S, C) */
    const float *cosines, *sines;    /* (S, D / 2) */
    const float *ngram_embedding;    /* (sum of ngram_tables, C) */
    int64_t ngram_tables[NGRAM_SIZES];
    struct matrix prior_embedding;   /* (C, V) */
    struct matrix prior_trust;       /* (V, C): what the stream adds to prior_gate */
    const float *gain, *shift;       /* (C,) */
    struct matrix head;              /* (V, C) */
    const float *head_bias;          /* (V,) */
    const struct layer *layers;
    const struct prior *prior;
};

struct state { /* of B streams */
    int64_t batch_size;
    int64_t position;   /* of the next token in the window */
    int64_t *tokens;    /* (B,): what is read next */
    int64_t *before;    /* (B, NGRAM_SIZES): what was read last in the window, newest first; 0 where nothing was */
    float *cache;       /* (L, 2, B, H, D, S): keys and values, positions innermost */
    int64_t *contexts;  /* (B, order): the k-gram of the last k tokens of each stream, -1 where there is none */
    float *rows, *gates; /* (B, V) each: log-probabilities of the prior, and how far to trust them */
    float *scratch;     /* (B * 7C + S) */
    float *logits;      /* (B, V) */
};

/* sums (streams, PANEL) = one panel times x (streams, in): memory is read in order, every lane adds up its own output.
   Half precision becomes single precision, times 2^-112, by moving its bits where they belong; the exponent's offset is
   left to the scale. The shift spreads the sign over the bits below it, which the mask clears again. */
static inline __attribute__((always_inline)) void sweep(
    const int streams, const int32_t *panel, const float *x, int64_t in, floats sums[][2])
{
    const int32_t mask = 0x8fffe000;
    floats low[STREAMS] = {{0}}, high[STREAMS] = {{0}};
    for (int64_t i = 0; i < in; i++) {
        words pair = *(const words *)(panel + i * LANES);
        floats l = (floats)((pair << 16 >> 3) & mask), h = (floats)((pair >> 3) & mask);
#pragma GCC unroll 8
        for (int b = 0; b < streams; b++) {
            low[b] += l * x[b * in + i];
            high[b] += h * x[b * in + i];
        }
    }
#pragma GCC unroll 8
    for (int b = 0; b < streams; b++) {
        sums[b][0] = low[b];
        sums[b][1] = high[b];
    }
}

/* y (B, out) = matrix x (B, in), plus bias (out,) */
static void multiply(struct matrix matrix, const float *bias, const float *x, float *y, int64_t B, int64_t out, int64_t in)
{
    floats sums[STREAMS][2];
    for (int64_t o = 0; o < out; o += PANEL) {
        const int32_t *panel = matrix.panels + o / 2 * in;
        int64_t width = out - o < PANEL ? out - o : PANEL;
        for (int64_t b = 0; b < B;) {
            int64_t streams = B - b >= STREAMS ? STREAMS : B - b >= STREAMS / 2 ? STREAMS / 2 : 1;
            if (streams == 1)
                sweep(1, panel, x + b * in, in, sums);
            else if (streams == STREAMS / 2)
                sweep(STREAMS / 2, panel, x + b * in, in, sums);
            else
                sweep(STREAMS, panel, x + b * in, in, sums);
            for (int64_t s = 0; s < streams; s++, b++)
                for (int64_t j = 0; j < width; j++)
                    y[b * out + o + j] = sums[s][j / LANES][j % LANES] * matrix.scale + (bias ? bias[o + j] : 0);
        }
    }
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

/* e^x to seven digits, for x <= 0: 2^whole from the exponent bits, 2^part from its series; loops over it vectorise */
static inline float exponential(float x)
{
    float power = (x < -87 ? -87 : x) * 1.44269504f;
    int32_t whole = (int32_t)(power - 0.5f);
    float part = (power - whole) * 0.693147181f;
    float series = 1 + part * (1 + part * (0.5f + part * (1.f / 6 + part * (1.f / 24 + part * (1.f / 120 + part / 720)))));
    int32_t bits = (whole + 127) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return series * scale;
}

static void softmax(float *scores, int64_t n)
{
    float most = scores[0], total = 0;
    for (int64_t t = 1; t < n; t++)
        most = scores[t] > most ? scores[t] : most;
    for (int64_t t = 0; t < n; t++)
        scores[t] = exponential(scores[t] - most);
    for (int64_t t = 0; t < n; t++)
        total += scores[t];
    for (int64_t t = 0; t < n; t++)
        scores[t] *= 1 / total;
}

/* one head of one stream: q (D,) looks at n of S keys and values, each (D, S); the answer y (D,) */
static void attend(const float *q, const float *keys, const float *values, int64_t n, int64_t D, int64_t S,
                   float *scores, float *y)
{
    memset(scores, 0, n * sizeof *scores);
    for (int64_t i = 0; i < D; i++)
        for (int64_t t = 0; t < n; t++)
            scores[t] += q[i] * keys[i * S + t];
    for (int64_t t = 0; t < n; t++)
        scores[t] /= sqrtf(D);
    softmax(scores, n);
    for (int64_t i = 0; i < D; i++) {
        float sum = 0;
        for (int64_t t = 0; t < n; t++)
            sum += scores[t] * values[i * S + t];
        y[i] = sum;
    }
}

/* all heads of all streams: puts this position's keys and values into cache (2, B, H, D, S), answers into y (B, C) */
static void self_attention(
    const struct model *m, float *qkv, float *cache, int64_t B, int64_t position, float *scores, float *y)
{
    int64_t H = m->n_head, C = m->n_embd, D = C / H, S = m->block_size;
    for (int64_t b = 0; b < B; b++)
        for (int64_t h = 0; h < H; h++) {
            float *q = qkv + b * 3 * C + h * D, *k = q + C, *v = k + C;
            float *keys = cache + (b * H + h) * D * S, *values = keys + B * H * D * S;
            if (m->is_modern) {
                const float *cosines = m->cosines + position * (D / 2), *sines = m->sines + position * (D / 2);
                normalise(q, q, D, NULL, NULL);
                normalise(k, k, D, NULL, NULL);
                rotate(q, cosines, sines, D);
                rotate(k, cosines, sines, D);
            }
            for (int64_t i = 0; i < D; i++) {
                keys[i * S + position] = k[i];
                values[i * S + position] = v[i];
            }
            attend(q, keys, values, position + 1, D, S, scores, y + b * C + h * D);
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

/* One stream's n-gram embeddings are added to x (C,): a row of each size by the hash of its characters. */
static void add_ngrams(const struct model *m, int64_t token, int64_t *before, float *x)
{
    const uint64_t V = m->vocab_size;
    const float *table = m->ngram_embedding;
    uint64_t key = token;
    for (int n = 0; n < NGRAM_SIZES; n++) {
        uint64_t size = m->ngram_tables[n];
        key = key * V + before[n];
        uint64_t spread = n == 0 && V * V <= size ? key : (key * 0x9E3779B1 & 0xFFFFFFFFFFFF) >> 16;
        add(x, table + spread % size * m->n_embd, m->n_embd);
        table += size * m->n_embd;
    }
    memmove(before + 1, before, (NGRAM_SIZES - 1) * sizeof *before);
    before[0] = token;
}

/* What enters the first block: x (B, C). `scratch` (B, C). */
static void embed(const struct model *m, const int64_t *tokens, int64_t *before, int64_t B, int64_t position,
                  const float *rows, float *x, float *scratch)
{
    int64_t C = m->n_embd;
    for (int64_t b = 0; b < B; b++)
        memcpy(x + b * C, m->token_embedding + tokens[b] * C, C * sizeof *x);
    for (int64_t b = 0; b < B && m->ngram_embedding; b++)
        add_ngrams(m, tokens[b], before + b * NGRAM_SIZES, x + b * C);
    for (int64_t b = 0; b < B && m->position_embedding; b++)
        add(x + b * C, m->position_embedding + position * C, C);
    if (m->prior) {
        multiply(m->prior_embedding, NULL, rows, scratch, B, C, m->vocab_size);
        add(x, scratch, B * C);
    }
    for (int64_t b = 0; b < B && m->is_modern; b++)
        normalise(x + b * C, x + b * C, C, NULL, NULL);
}

/* One transformer block on x (B, C), in place. `scratch` (B, 6C). */
static void transform(
    const struct model *m, const struct layer *l, float *x, float *cache, int64_t B, int64_t position, float *scratch)
{
    int64_t C = m->n_embd;
    float *normal = scratch, *added = scratch + B * C, *wide = scratch + 2 * B * C, *scores = wide + 4 * B * C;
    for (int64_t b = 0; b < B; b++)
        normalise(x + b * C, normal + b * C, C, l->attention_gain, l->attention_shift);
    multiply(l->qkv, NULL, normal, wide, B, 3 * C, C);
    self_attention(m, wide, cache, B, position, scores, normal);
    multiply(l->projection, l->projection_bias, normal, added, B, C, C);
    add(x, added, B * C);

    for (int64_t b = 0; b < B; b++)
        normalise(x + b * C, normal + b * C, C, l->feed_forward_gain, l->feed_forward_shift);
    multiply(l->expand, l->expand_bias, normal, wide, B, 4 * C, C);
    rectify(m, wide, B * 4 * C);
    multiply(l->contract, l->contract_bias, wide, added, B, C, 4 * C);
    add(x, added, B * C);
}

/* The streams' priors read `tokens`. */
void read_priors(const struct model *m, struct state *s)
{
    for (int64_t b = 0; b < s->batch_size && m->prior; b++)
        read_prior(m->prior, m->vocab_size, s->tokens[b], s->contexts + b * m->prior->order, s->rows + b * m->vocab_size);
}

/* The streams read `tokens`: everything in `state` moves on, and `logits` are those of the next characters. */
void decode_step(const struct model *m, struct state *s)
{
    int64_t B = s->batch_size, C = m->n_embd, V = m->vocab_size, position = s->position++;
    float *x = s->scratch, *rest = s->scratch + B * C;
    read_priors(m, s);
    embed(m, s->tokens, s->before, B, position, s->rows, x, rest);
    for (int64_t layer = 0; layer < m->n_layer; layer++)
        transform(m, m->layers + layer, x, s->cache + layer * 2 * B * m->block_size * C, B, position, rest);
    for (int64_t b = 0; b < B; b++)
        normalise(x + b * C, rest + b * C, C, m->gain, m->shift);
    multiply(m->head, m->head_bias, rest, s->logits, B, V, C);
    for (int64_t i = 0; i < B * V && m->logit_cap > 0; i++)
        s->logits[i] = m->logit_cap * tanhf(s->logits[i] / m->logit_cap);
    if (!m->prior)
        return;
    multiply(m->prior_trust, NULL, rest, s->gates, B, V, C);
    for (int64_t i = 0; i < B * V; i++)
        s->logits[i] += (m->prior_gate + s->gates[i]) * s->rows[i];
}

/* Decoding: streams read characters, get the logits of the next, and go on with what is drawn from them.

   This is inference with nothing around it. All of it is here: embedding, normalisation, attention over cached keys and
   values, feed-forward, head, the look-up in the n-gram prior, the sliding of the window and the draw. It computes what
   decode.py and sampling.py compute with PyTorch and NumPy, which stay the reference; what differs is the order of
   additions, and what numbers are rounded to.

   Arrays are row-major, innermost dimension last, float32 where nothing else is said: B streams, C = n_embd, H heads of
   D = C / H, V characters, S = block_size. A column is one character of one stream; N of them go through the network
   together: the next ones of N streams, or N of one stream that reads a window. Matrices are packed in panels, mostly in
   half precision, as reading them is what a character costs (see `sweep`); keys and values are kept in panels, too. Of
   many streams their keys and values and the arithmetic cost as much: what is kept is rounded to bytes, and so is what
   comes to be multiplied with it, see `sweep_bytes`. A null pointer leaves a part out. The structs are mirrored in
   packing.py and kernel_decode.py. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sweep_bytes.h"
#include "team.h"

#define MAX_ORDER 16
#define NGRAM_SIZES 3 /* n-gram embeddings of 2, 3, 4 characters */
#define LONGEST 8     /* characters of a match that count, as in induction.py */
#define REACH 1024    /* how many positions back a match may lie, as in induction.py */
#define HISTORY (REACH + LONGEST) /* characters of the window that are looked at again while others are read */
#define NORM_EPSILON 1e-5f
#define WORTH_SHARING 131072 /* products; fewer are nearly done when a helper hears of them */

enum { SINGLE, HALF, BYTES };

struct matrix { /* (out, in) in panels of PANEL outputs, each panel as (in, PANEL), of bytes as (in / 4, PANEL, 4), padded */
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
    float *scratch;     /* (N, 7C) */
    float *scores;      /* (threads, P), P being S rounded up to PANEL */
    small *smalls;      /* (N, 4C or V), rows padded to fours, or (D,), or (S,): what bytes are multiplied with */
    struct stretch *stretches; /* of it */
    float *logits;      /* (B, V): of the next characters */
    double *mixed;      /* (B, V): sum of the members' probabilities */
    int64_t *tokens;    /* (B,): what was written last */
    int64_t is_unread;  /* they are not in the window yet */
    double *chances;    /* (3V): see `choose` */
    struct team *team;  /* that shares out what is worth it, if not null */
};

struct draw { /* SampleConfig's */
    double temperature, top_p, min_p;
    int64_t top_k;
};

/* numbers that the keys, or the values, of one head of one stream take */
static int64_t keys_size(const struct model *m)
{
    return rounded_up(m->n_embd / m->n_head, 4) * rounded_up(m->block_size, PANEL);
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

/* who does a job of so many products: the team, or null, which is the leader alone */
static struct team *team_for(const struct state *s, int64_t products) { return products < WORTH_SHARING ? NULL : s->team; }

struct product { /* y (N, out) = matrix x (N, in), plus bias (out,) */
    struct matrix matrix;
    const float *bias, *x;
    const small *smalls;    /* (N, in), rows padded to fours: `x` where the matrix is of bytes */
    const struct stretch *stretches;
    float *y;
    int64_t N, out, in;
};

INLINE void multiply_panel_of(const int kind, const struct product *p, int64_t o)
{
    floats sums[BYTE_COLUMNS][VECTORS];
    int64_t in = p->in, padded = rounded_up(in, 4), stretches = rounded_up(in, STRETCH) / STRETCH;
    const void *panel = (const char *)p->matrix.panels + o * (kind == BYTES ? padded : kind == HALF ? 2 * in : 4 * in);
    int64_t width = p->out - o < PANEL ? p->out - o : PANEL;
    for (int64_t n = 0; n < p->N;) {
        int64_t columns = kind == BYTES ? swept_bytes(panel, p->smalls + n * padded, p->stretches + n * stretches, p->N - n,
                                                      in, sums)
                                        : swept(kind == HALF, panel, p->x + n * in, p->N - n, in, sums);
        for (int64_t c = 0; c < columns; c++, n++)
            put(sums[c], p->matrix.scales + o, p->bias ? p->bias + o : NULL, p->y + n * p->out + o, width);
    }
}

/* the outputs of one panel; a single copy, so that its additions have one order, whoever calls it */
static __attribute__((noinline)) void multiply_panel(const void *product, int64_t panel, int64_t thread)
{
    const struct product *p = product;
    (void)thread;
    if (p->matrix.kind == BYTES)
        multiply_panel_of(BYTES, p, panel * PANEL);
    else if (p->matrix.kind == HALF)
        multiply_panel_of(HALF, p, panel * PANEL);
    else
        multiply_panel_of(SINGLE, p, panel * PANEL);
}

/* y (N, out) = matrix x (N, in), plus bias (out,) */
static void multiply(const struct state *s, struct matrix matrix, const float *bias, const float *x, float *y, int64_t N,
                     int64_t out, int64_t in)
{
    const struct product product = {matrix, bias, x, s->smalls, s->stretches, y, N, out, in};
    if (matrix.kind == BYTES)
        shrink_rows(STRETCH, x, N, in, s->smalls, s->stretches);
    share_out(team_for(s, N * out * in), multiply_panel, &product, rounded_up(out, PANEL) / PANEL);
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
    uint8_t *keys, *values;
    float *key_scales, *value_scales; /* (P,) each, by position */
};

static struct byte_head byte_head(const struct model *m, char *cache)
{
    int64_t P = rounded_up(m->block_size, PANEL);
    uint8_t *keys = (uint8_t *)cache, *values = keys + keys_size(m);
    float *scales = (float *)(values + values_size(m));
    return (struct byte_head){keys, values, scales, scales + P};
}

/* `keep` for bytes. `rounded` (D,) */
static void keep_bytes(struct byte_head head, const float *k, const float *v, int64_t place, int64_t P, int64_t D,
                       uint8_t *rounded)
{
    uint8_t *key = head.keys + place / PANEL * PANEL * rounded_up(D, 4) + place % PANEL * 4;
    uint8_t *value = head.values + place / 4 * 4 * PANEL + place % 4;
    head.key_scales[place] = round_to_bytes(k, D, rounded);
    for (int64_t i = 0; i < D; i += 4, key += 4 * PANEL)
        *(word *)key = *(const word *)(rounded + i);
    head.value_scales[place] = round_to_bytes(v, D, rounded);
    for (int64_t first = 0; first < D; first += PANEL, value += PANEL * P)
        for (int64_t i = first; i < D && i < first + PANEL; i++)
            value[4 * (i - first)] = rounded[i];
}

/* `attend` for bytes. `room` (D,) or (n,), `stretches` of n */
static void attend_bytes(const float *q, struct byte_head head, int64_t next, int64_t n, int64_t P, int64_t D,
                         float *scores, small *room, struct stretch *stretches, float *y)
{
    const struct stretch asked = shrink(q, D, room);
    const float scale = asked.scale / sqrtf(D);
    floats sums[BYTE_COLUMNS][VECTORS];
    words s[BYTE_COLUMNS][VECTORS];
    for (int64_t t = 0; t < n; t += PANEL) {
        const uint8_t *panel = head.keys + t * rounded_up(D, 4);
        for (int64_t j = t; j < t + PANEL; j += LINE / sizeof(float)) {
            __builtin_prefetch((char *)(head.key_scales + j) + next);
            __builtin_prefetch((char *)(head.value_scales + j) + next);
        }
        sum_products(1, panel, panel + next, room, &asked, 0, D, 0, rounded_up(D, 4), s);
        for (int v = 0; v < VECTORS; v++)
            *(floats *)(scores + t + v * LANES) =
                __builtin_convertvector(s[0][v], floats) * (scale * *(floats *)(head.key_scales + t + v * LANES));
    }
    const float share = 1 / weigh(scores, n, head.value_scales);
    shrink_rows(FEW, scores, 1, n, room, stretches);
    for (int64_t i = 0; i < D; i += PANEL) {
        const uint8_t *panel = head.values + i * P;
        sweep_bytes(1, FEW, panel, panel + next, room, stretches, n, sums);
        for (int64_t j = 0; j < PANEL && i + j < D; j++)
            y[i + j] = ((float *)sums[0])[j] * share;
    }
}

struct reading { /* streams read the next columns in one block */
    const struct model *model;
    const struct state *state;
    float *qkv;     /* (N, 3C) */
    char *cache;    /* the first stream's */
    int64_t T;      /* columns of each stream */
    int64_t first;  /* of them that is answered */
    float *answers; /* (N, C) */
};

/* One head of a stream reads a column, the t-th of the T: puts its key and value into the cache, and its answer into y
   (D,) unless that is null. q, k, v (D,). */
static void read_column(const struct reading *r, float *q, float *k, const float *v, char *cache, int64_t t, float *scores,
                        float *y)
{
    const struct model *m = r->model;
    const struct state *s = r->state;
    int64_t D = m->n_embd / m->n_head, S = m->block_size, P = rounded_up(S, PANEL), size = head_bytes(m);
    int64_t position = s->position + t, n = position < S ? position + 1 : S, place = position % S;
    float *keys = (float *)cache;
    if (m->is_modern) {
        const float *cosines = s->cosines + t * (D / 2), *sines = s->sines + t * (D / 2);
        normalise(q, q, D, NULL, NULL);
        normalise(k, k, D, NULL, NULL);
        rotate(q, cosines, sines, D);
        rotate(k, cosines, sines, D);
    }
    if (m->in_bytes)
        keep_bytes(byte_head(m, cache), k, v, place, P, D, (uint8_t *)s->smalls);
    else
        keep(m, keys, k, v, place, P, D);
    if (!y)
        return;
    if (m->in_bytes)
        attend_bytes(q, byte_head(m, cache), size, n, P, D, scores, s->smalls, s->stretches, y);
    else
        attend(q, keys, keys + keys_size(m), size, n, P, D, scores, y);
}

/* One head of one stream reads all its columns. */
static __attribute__((noinline)) void read_by_head(const void *reading, int64_t part, int64_t thread)
{
    const struct reading *r = reading;
    int64_t H = r->model->n_head, C = r->model->n_embd, D = C / H, stream = part / H, head = part % H;
    char *cache = r->cache + part * head_bytes(r->model);
    float *scores = r->state->scores + thread * rounded_up(r->model->block_size, PANEL);
    for (int64_t t = 0; t < r->T; t++) {
        int64_t n = stream * r->T + t;
        float *q = r->qkv + n * 3 * C + head * D, *answer = r->answers + n * C + head * D;
        read_column(r, q, q + C, q + 2 * C, cache, t, scores, t >= r->first ? answer : NULL);
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
   stream's columns are of no use: only their keys and values are computed, and x becomes (streams, C). `scratch` (N, 6C). */
static void transform(const struct model *m, const struct state *s, const struct layer *l, float *x, char *cache,
                      int64_t streams, int64_t N, int is_last, float *scratch)
{
    int64_t C = m->n_embd, T = N / streams;
    float *normal = scratch, *added = scratch + N * C, *wide = scratch + 2 * N * C;
    for (int64_t n = 0; n < N; n++)
        normalise(x + n * C, normal + n * C, C, l->attention_gain, l->attention_shift);
    multiply(s, l->qkv, NULL, normal, wide, N, 3 * C, C);
    const struct reading reading = {m, s, wide, cache, T, is_last ? T - 1 : 0, normal};
    int64_t seen = s->position + T < m->block_size ? s->position + T : m->block_size;
    share_out(m->in_bytes ? NULL : team_for(s, 4 * N * C * seen), read_by_head, &reading, streams * m->n_head);
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

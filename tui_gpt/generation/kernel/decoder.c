/* Incremental decoding and sampling in C.

   generation/decoder.py and generation/sampling.py are the reference: this file computes the same, except for the order
   of additions and the precision in which matrices are stored.

   Arrays are row-major and float32 unless noted: B texts, C = n_embd, H heads of D = C / H, V characters,
   S = block_size, M networks, L layers. A column is one character of one text; N of them go through a network
   together: the next one of N texts, or the next N of one text. A part of a model whose pointer is null is skipped. The
   structs are mirrored in structs.py; library.py compares their sizes, see `layout`. */

#include <stddef.h>
#include <stdlib.h>
#if defined __x86_64__
#include <cpuid.h>
#endif

#include "adaptive.h"
#include "matrix.h"

#define NGRAM_SIZES 3  /* n-gram embeddings of 2, 3 and 4 characters */
#define MATCH_LENGTH 8 /* longest match, in characters */
#define MATCH_REACH 1024 /* positions before the current one that are searched for matches */
#define NORM_EPSILON 1e-5f

struct layer {
    struct matrix qkv, projection, expand, contract;     /* (3C, C), (C, C), (4C, C), (C, 4C) */
    const float *attention_gain, *attention_shift;       /* (C,) each */
    const float *feed_forward_gain, *feed_forward_shift; /* (C,) each */
    const float *projection_bias, *expand_bias, *contract_bias; /* (C,), (4C,), (C,) */
};

struct network {
    struct matrix prior_embedding, prior_trust, head;    /* (C, V), (V, C), (V, C) */
    const float *token_embedding, *position_embedding;   /* (V, C), (S, C) */
    const float *ngram_embedding;                        /* (sum of ngram_tables, C) */
    const float *match_embedding;                        /* (MATCH_LENGTH + 1, V, C) */
    const float *follower_bias, *candidate_bias;         /* (MATCH_LENGTH + 1,) each, by the length of a match */
    const float *match_gate, *prior_gate;                /* (C,), (1,) */
    const float *gain, *shift, *head_bias;               /* (C,), (C,), (V,) */
    const struct layer *layers;
};

struct grams { /* the k-grams of one length k, in the order of prior/trie.py */
    const int32_t *symbols;  /* the last token of each; sorted within a context */
    const int64_t *firsts;   /* index of each one's first extension among the (k+1)-grams */
    const float *discounted_probs; /* of the last token, given the context */
    const float *backoffs;   /* weight of the shorter context */
};

struct model {
    int64_t n_networks, n_layer, n_head, n_embd, block_size, vocab_size, is_modern, is_gelu;
    int64_t ngram_tables[NGRAM_SIZES];
    const int64_t *folded;   /* (V,): equal numbers for characters that are equal in a match (case folding) */
    int64_t prior_order;
    const float *unigram;    /* (V,) */
    const struct grams *grams; /* (prior_order + 1,), by length */
    const struct network *networks;
    float logit_cap;
};

struct state { /* the state of B texts */
    int64_t texts, position; /* B; number of characters read since the cache was cleared */
    int64_t length, capacity; /* characters that have been read of each row of `text`; its size */
    int64_t *text;           /* (B, capacity) */
    float *cache;            /* (M, L, B, H, head_floats): keys (S, D), then values (D, S), in panels; position p is at p % S */
    const float *cosines, *sines; /* (T, D / 2) each: of the next T positions */
    int64_t *contexts;       /* (B, prior_order): index of the k-gram of each text's last k tokens, -1 if it was not counted */
    float *rows, *gates;     /* (N, V) each: log-probabilities of the prior, and their gates */
    int64_t *matches;        /* (N, 2): the length of the longest match and the character after it */
    int64_t *candidates;     /* (B, V): for each character, the length of the longest match that it followed */
    float *scratch, *scores; /* (N, 7C), (S,) */
    float *logits;           /* (B, V): logits of the next characters */
    double *summed_probs, *probs; /* (B, V): sum of the networks' probabilities; (3V,): see `choose` */
};

struct sampling { /* the settings of SampleConfig */
    double temperature, top_p, min_p;
    int64_t top_k;
};

static int64_t rounded_up(int64_t n) { return (n + PANEL - 1) / PANEL * PANEL; }

/* Number of floats for the keys and values of one head of one text. */
int64_t head_floats(const struct model *m)
{
    int64_t D = m->n_embd / m->n_head;
    return rounded_up(m->block_size) * (D + rounded_up(D));
}

static void add(float *x, const float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] += y[i];
}

/* Dot product of a and b (n,), or the sum of a if b is null, in an order that does not depend on their alignment. */
INLINE float dot(const float *a, const float *b, int64_t n)
{
    float sums[16] = {0}, total = 0;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int l = 0; l < 16; l++)
            sums[l] += b ? a[i + l] * b[i + l] : a[i + l];
    for (; i < n; i++)
        sums[i % 16] += b ? a[i] * b[i] : a[i];
    for (int l = 0; l < 16; l++)
        total += sums[l];
    return total;
}

/* Layer norm: y = x with mean 0 and variance 1, times gain, plus shift. */
static void normalise(const float *x, float *y, int64_t n, const float *gain, const float *shift)
{
    const float mean = dot(x, NULL, n) / n;
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] - mean;
    const float scale = 1 / sqrtf(dot(y, y, n) / n + NORM_EPSILON);
    for (int64_t i = 0; i < n; i++)
        y[i] *= scale;
    for (int64_t i = 0; gain && i < n; i++)
        y[i] = y[i] * gain[i] + shift[i];
}

/* Replace x (n,) by x times the probability that a normal variable is below x (Hendrycks and Gimpel 2016). */
static void gelu(float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] *= 0.5f * (1 + erff(x[i] * 0.707106781f));
}

/* Replace x (n,) by its positive part, or by the square of that. */
static void rectify(float *x, int64_t n, int64_t is_squared)
{
    for (int64_t i = 0; i < n; i++) {
        float positive = x[i] > 0 ? x[i] : 0;
        x[i] = is_squared ? positive * positive : positive;
    }
}

/* Rotate pairs of channels (i, i + D / 2) by their angles (Su et al. 2021). */
static void rotate(float *x, const float *cosines, const float *sines, int64_t D)
{
    for (int64_t i = 0; i < D / 2; i++) {
        float left = x[i], right = x[i + D / 2];
        x[i] = left * cosines[i] - right * sines[i];
        x[i + D / 2] = left * sines[i] + right * cosines[i];
    }
}

/* e^x to seven digits, for x <= 0: a power of two from the bits of the exponent, the rest by a Taylor series. */
INLINE float exponential(float x)
{
    float power = (x > -87 ? x : -87) * 1.44269504f;
    int32_t whole = (int32_t)(power - 0.5f), bits = (whole + 127) << 23;
    float part = (power - whole) * 0.693147181f, scale;
    memcpy(&scale, &bits, sizeof scale);
    return scale * (1 + part * (1 + part * (0.5f + part * (1.f / 6 + part * (1.f / 24 + part * (1.f / 120 + part / 720))))));
}

/* Replace scores (n,) by their softmax. */
static void softmax(float *scores, int64_t n)
{
    float most = scores[0];
    for (int64_t t = 1; t < n; t++)
        most = scores[t] > most ? scores[t] : most;
    for (int64_t t = 0; t < n; t++)
        scores[t] = exponential(scores[t] - most);
    const float factor = 1 / dot(scores, NULL, n);
    for (int64_t t = 0; t < n; t++)
        scores[t] *= factor;
}

/* Attention of one head at the position t ahead: store its key and value (D,) in the cache, and attend with the query q
   (D,) to get y (D,); y null only stores. q and k are normalised and rotated in place. */
static void attend(const struct model *m, const struct state *s, int64_t t, float *cache, float *q, float *k,
                   const float *v, float *y)
{
    int64_t D = m->n_embd / m->n_head, S = m->block_size, P = rounded_up(S);
    int64_t position = s->position + t, seen = position < S ? position + 1 : S, place = position % S;
    float *values = cache + P * D;
    if (m->is_modern) {
        normalise(q, q, D, NULL, NULL);
        normalise(k, k, D, NULL, NULL);
        rotate(q, s->cosines + t * (D / 2), s->sines + t * (D / 2), D);
        rotate(k, s->cosines + t * (D / 2), s->sines + t * (D / 2), D);
    }
    for (int64_t i = 0; i < D; i++) {
        cache[place / PANEL * PANEL * D + i * PANEL + place % PANEL] = k[i];
        values[i / PANEL * PANEL * P + place * PANEL + i % PANEL] = v[i];
    }
    if (!y)
        return;
    const struct matrix keys_of = {cache, D, 0, 1 / sqrtf(D)}, values_of = {values, P, 0, 1};
    multiply(&keys_of, NULL, q, s->scores, 1, seen, D);
    softmax(s->scores, seen);
    multiply(&values_of, NULL, s->scores, y, 1, D, seen);
}

/* Apply one block in place to x (N, C), the next T columns of `texts` texts; `cache` is that of the first text.
   `scratch` (N, 6C). In the last block only the last column of each text is computed beyond its keys and values, and x becomes
   (texts, C). */
static void transform(const struct model *m, const struct state *s, const struct layer *l, float *x, float *cache,
                      int64_t texts, int64_t T, int is_last, float *scratch)
{
    int64_t C = m->n_embd, H = m->n_head, D = C / H, N = texts * T;
    float *normal = scratch, *added = scratch + N * C, *wide = scratch + 2 * N * C;
    for (int64_t n = 0; n < N; n++)
        normalise(x + n * C, normal + n * C, C, l->attention_gain, l->attention_shift);
    multiply(&l->qkv, NULL, normal, wide, N, 3 * C, C);
    for (int64_t h = 0; h < texts * H; h++, cache += head_floats(m))
        for (int64_t t = 0; t < T; t++) {
            int64_t n = h / H * T + t;
            float *q = wide + n * 3 * C + h % H * D, *y = normal + n * C + h % H * D;
            attend(m, s, t, cache, q, q + C, q + 2 * C, is_last && t < T - 1 ? NULL : y);
        }
    if (is_last) {
        for (int64_t b = 0; b < texts; b++) {
            memmove(normal + b * C, normal + (b * T + T - 1) * C, C * sizeof *x);
            memmove(x + b * C, x + (b * T + T - 1) * C, C * sizeof *x);
        }
        N = texts;
    }
    multiply(&l->projection, l->projection_bias, normal, added, N, C, C);
    add(x, added, N * C);

    for (int64_t n = 0; n < N; n++)
        normalise(x + n * C, normal + n * C, C, l->feed_forward_gain, l->feed_forward_shift);
    multiply(&l->expand, l->expand_bias, normal, wide, N, 4 * C, C);
    if (m->is_gelu)
        gelu(wide, N * 4 * C);
    else
        rectify(wide, N * 4 * C, m->is_modern);
    multiply(&l->contract, l->contract_bias, wide, added, N, C, 4 * C);
    add(x, added, N * C);
}

/* Index of the (k+1)-gram that extends the k-gram `gram` by a token; -1 if it was not counted. */
static int64_t extension(const struct model *m, int64_t k, int64_t gram, int64_t token)
{
    if (gram < 0)
        return -1;
    int64_t low = m->grams[k].firsts[gram], end = m->grams[k].firsts[gram + 1], high = end;
    const int32_t *symbols = m->grams[k + 1].symbols;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (symbols[middle] < token)
            low = middle + 1;
        else
            high = middle;
    }
    return low < end && symbols[low] == token ? low : -1;
}

/* Read a token: update contexts (prior_order,) and fill row (V,) with the prior's log-probabilities of the next one. */
static void read_prior(const struct model *m, int64_t token, int64_t *contexts, float *row)
{
    for (int64_t k = m->prior_order - 1; k > 0; k--)
        contexts[k] = extension(m, k - 1, contexts[k - 1], token);
    memcpy(row, m->unigram, m->vocab_size * sizeof *row);
    for (int64_t k = 1; k < m->prior_order && contexts[k] >= 0; k++) {
        const struct grams *longer = m->grams + k + 1;
        for (int64_t i = 0; i < m->vocab_size; i++)
            row[i] *= m->grams[k].backoffs[contexts[k]];
        for (int64_t g = m->grams[k].firsts[contexts[k]]; g < m->grams[k].firsts[contexts[k] + 1]; g++)
            row[longer->symbols[g]] += longer->discounted_probs[g];
    }
    for (int64_t i = 0; i < m->vocab_size; i++)
        row[i] = logf(row[i]);
}

/* Find earlier occurrences of the characters up to `end`: match[0] is the length of the longest match (the latest of
   equal length), match[1] the character after it; candidates (V,) has for each character the length of the longest match that
   it followed. */
static void find_matches(const struct model *m, const int64_t *text, int64_t end, int64_t *match, int64_t *candidates)
{
    const int64_t *folded = m->folded, last = folded[text[end]];
    match[0] = match[1] = 0;
    memset(candidates, 0, m->vocab_size * sizeof *candidates);
    for (int64_t e = end > MATCH_REACH ? end - MATCH_REACH : 0; e < end; e++) {
        if (folded[text[e]] != last)
            continue;
        int64_t length = 1, follower = text[e + 1];
        while (length < MATCH_LENGTH && length <= e && folded[text[e - length]] == folded[text[end - length]])
            length++;
        if (length >= match[0])
            match[0] = length, match[1] = follower;
        if (length > candidates[follower])
            candidates[follower] = length;
    }
}

/* Add the embeddings of the n-grams that end at `end` to x (C,), each found by the hash of its characters; positions
   before the text count as character 0. */
static void add_ngrams(const struct model *m, const float *table, const int64_t *text, int64_t end, float *x)
{
    const uint64_t V = m->vocab_size;
    uint64_t key = text[end];
    for (int n = 0; n < NGRAM_SIZES; n++) {
        uint64_t size = m->ngram_tables[n];
        key = key * V + (end > n ? text[end - 1 - n] : 0);
        uint64_t spread = n == 0 && V * V <= size ? key : (key * 0x9E3779B1 & 0xFFFFFFFFFFFF) >> 16;
        add(x, table + spread % size * m->n_embd, m->n_embd);
        table += size * m->n_embd;
    }
}

/* Compute the input x (N, C) of a network's first block. `scratch` (N, C). */
static void embed(const struct model *m, const struct network *w, const struct state *s, int64_t b, int64_t texts,
                  int64_t T, float *x, float *scratch)
{
    int64_t C = m->n_embd, V = m->vocab_size, N = texts * T;
    for (int64_t n = 0; n < N; n++) {
        int64_t end = s->length + n % T;
        const int64_t *text = s->text + (b + n / T) * s->capacity, *match = s->matches + 2 * n;
        memcpy(x + n * C, w->token_embedding + text[end] * C, C * sizeof *x);
        if (w->ngram_embedding)
            add_ngrams(m, w->ngram_embedding, text, end, x + n * C);
        if (w->match_embedding)
            add(x + n * C, w->match_embedding + (match[0] * V + match[1]) * C, C);
        if (w->position_embedding)
            add(x + n * C, w->position_embedding + (s->position + n % T) * C, C);
    }
    if (m->unigram) {
        multiply(&w->prior_embedding, NULL, s->rows, scratch, N, C, V);
        add(x, scratch, N * C);
    }
    for (int64_t n = 0; n < N && m->is_modern; n++)
        normalise(x + n * C, x + n * C, C, NULL, NULL);
}

/* Add the gated match and prior to one text's logits (V,); the gates depend on the normalised x (C,) and `trust` (V,). */
static void add_lookups(const struct model *m, const struct network *w, const int64_t *match, const int64_t *candidates,
                        const float *row, const float *trust, const float *x, float *logits)
{
    const float gate = m->folded ? 1 + dot(x, w->match_gate, m->n_embd) : 0;
    for (int64_t v = 0; m->folded && v < m->vocab_size; v++)
        logits[v] += gate * w->candidate_bias[candidates[v]];
    if (m->folded && match[0])
        logits[match[1]] += gate * w->follower_bias[match[0]];
    for (int64_t v = 0; m->unigram && v < m->vocab_size; v++)
        logits[v] += (w->prior_gate[0] + trust[v]) * row[v];
}

/* Run one network on the columns; logits (texts, V) are its own for the next characters. */
static void run_network(const struct model *m, int64_t number, const struct state *s, int64_t b, int64_t texts, int64_t T,
                        float *logits)
{
    int64_t C = m->n_embd, V = m->vocab_size, layer_floats = s->texts * m->n_head * head_floats(m);
    const struct network *w = m->networks + number;
    float *x = s->scratch, *rest = x + texts * T * C;
    float *cache = s->cache + number * m->n_layer * layer_floats + b * m->n_head * head_floats(m);
    embed(m, w, s, b, texts, T, x, rest);
    for (int64_t layer = 0; layer < m->n_layer; layer++, cache += layer_floats)
        transform(m, s, w->layers + layer, x, cache, texts, T, layer == m->n_layer - 1, rest);
    for (int64_t n = 0; n < texts; n++)
        normalise(x + n * C, rest + n * C, C, w->gain, w->shift);
    multiply(&w->head, w->head_bias, rest, logits, texts, V, C);
    if (!m->is_modern)
        return;
    for (int64_t i = 0; i < texts * V; i++)
        logits[i] = m->logit_cap * tanhf(logits[i] / m->logit_cap);
    if (m->unigram)
        multiply(&w->prior_trust, NULL, rest, s->gates, texts, V, C);
    for (int64_t n = 0; n < texts; n++)
        add_lookups(m, w, s->matches + 2 * (n * T + T - 1), s->candidates + (b + n) * V, s->rows + (n * T + T - 1) * V,
                    s->gates + n * V, rest + n * C, logits + n * V);
}

/* Add the softmax of logits (V,) to summed_probs (V,). */
static void add_probs(const float *logits, double *summed_probs, int64_t V)
{
    double total = 0;
    float most = logits[0];
    for (int64_t i = 1; i < V; i++)
        most = logits[i] > most ? logits[i] : most;
    for (int64_t i = 0; i < V; i++)
        total += exp(logits[i] - most);
    for (int64_t i = 0; i < V; i++)
        summed_probs[i] += exp(logits[i] - most) / total;
}

/* Read the next T characters of `texts` texts, beginning at text b, and compute the logits after them: those of the only
   network, or the logarithms of the networks' mean probabilities. */
static void read_columns(const struct model *m, struct state *s, int64_t b, int64_t texts, int64_t T)
{
    int64_t V = m->vocab_size;
    float *logits = s->logits + b * V;
    for (int64_t n = 0; n < texts * T; n++) {
        int64_t of = b + n / T, end = s->length + n % T;
        const int64_t *text = s->text + of * s->capacity;
        if (m->unigram)
            read_prior(m, text[end], s->contexts + of * m->prior_order, s->rows + n * V);
        if (m->folded)
            find_matches(m, text, end, s->matches + 2 * n, s->candidates + of * V);
    }
    memset(s->summed_probs, 0, texts * V * sizeof *s->summed_probs);
    for (int64_t number = 0; number < m->n_networks; number++) {
        run_network(m, number, s, b, texts, T, logits);
        for (int64_t n = 0; n < texts && m->n_networks > 1; n++)
            add_probs(logits + n * V, s->summed_probs + n * V, V);
    }
    for (int64_t i = 0; i < texts * V && m->n_networks > 1; i++)
        logits[i] = log(s->summed_probs[i] / m->n_networks);
}

/* Read the next T characters of every text. */
void read_texts(const struct model *m, struct state *s, int64_t T)
{
    if (T == 1)
        read_columns(m, s, 0, s->texts, 1);
    for (int64_t b = 0; b < s->texts && T > 1; b++)
        read_columns(m, s, b, 1, T);
    s->length += T;
    s->position += T;
}

static int by_probability(const void *left, const void *right) /* the more likely first, then the lower id */
{
    const double *a = left, *b = right;
    return a[0] != b[0] ? (a[0] < b[0]) - (a[0] > b[0]) : (a[1] > b[1]) - (a[1] < b[1]);
}

/* Keep the top_k most likely of probabilities (V,), and of those the smallest set with at least the fraction top_p. */
static void keep_most_likely(double *probabilities, int64_t V, const struct sampling *sampling, double *ranked)
{
    double total = 0, held = 0;
    for (int64_t i = 0; i < V; i++) {
        ranked[2 * i] = probabilities[i];
        ranked[2 * i + 1] = i;
    }
    qsort(ranked, V, 2 * sizeof *ranked, by_probability);
    int64_t most = sampling->top_k > 0 && sampling->top_k < V ? sampling->top_k : V, kept = 0;
    for (int64_t r = 0; r < most; r++)
        total += ranked[2 * r];
    for (; kept < most && (sampling->top_p >= 1 || held < sampling->top_p * total || kept == 0); kept++)
        held += ranked[2 * kept];
    for (int64_t r = kept; r < V; r++)
        probabilities[(int64_t)ranked[2 * r + 1]] = 0;
}

static int is_finite(double x) /* checks the bits, as -ffinite-math-only lets the compiler assume finite numbers */
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (bits >> 52 & 0x7ff) != 0x7ff;
}

/* Draw the next token from logits (V,), as in sampling.py. `probs` (3V,) is scratch memory. */
static int64_t choose(const float *logits, int64_t V, const struct sampling *sampling, double uniform, double *probs)
{
    int64_t best = 0;
    double total = 0, most = 0, held = 0;
    for (int64_t i = 1; i < V; i++)
        best = logits[i] > logits[best] ? i : best;
    if (sampling->temperature == 0)
        return best;
    for (int64_t i = 0; i < V; i++)
        total += probs[i] = exp(logits[i] / sampling->temperature - logits[best] / sampling->temperature);
    if (!is_finite(total))
        return best;
    for (int64_t i = 0; i < V; i++)
        probs[i] /= total;
    if ((sampling->top_k > 0 && sampling->top_k < V) || sampling->top_p < 1)
        keep_most_likely(probs, V, sampling, probs + V);
    for (int64_t i = 0; i < V; i++)
        most = probs[i] > most ? probs[i] : most;
    total = 0;
    for (int64_t i = 0; i < V; i++) {
        if (probs[i] < sampling->min_p * most)
            probs[i] = 0;
        total += probs[i];
    }
    for (int64_t i = 0; i < V; i++) {
        held += probs[i];
        if (held > uniform * total)
            return i;
    }
    return best;
}

/* Generate and read `count` characters of every text, drawn with uniforms (count, B); logits (count, B, V) are those
   that they were drawn from. */
void generate_texts(const struct model *m, struct state *s, const struct sampling *sampling, const double *uniforms,
                    int64_t count, float *logits)
{
    int64_t B = s->texts, V = m->vocab_size;
    for (int64_t j = 0; j < count; j++) {
        memcpy(logits + j * B * V, s->logits, B * V * sizeof *logits);
        for (int64_t b = 0; b < B; b++)
            s->text[b * s->capacity + s->length] = choose(s->logits + b * V, V, sampling, uniforms[j * B + b], s->probs);
        read_texts(m, s, 1);
        if (m->is_modern) {
            s->cosines += m->n_embd / m->n_head / 2;
            s->sines += m->n_embd / m->n_head / 2;
        }
    }
}

/* Copy at most `count` of the sizes and constants that structs.py and decoder.py rely on; return their number. */
int64_t layout(int64_t *values, int64_t count)
{
    const int64_t known[] = {sizeof(struct matrix), sizeof(struct layer), sizeof(struct network), sizeof(struct grams),
                             sizeof(struct model), sizeof(struct state), sizeof(struct sampling), PANEL, MATCH_LENGTH,
                             MATCH_REACH, NGRAM_SIZES, sizeof(struct predictor), sizeof(struct slot), LINE, PROBES,
                             MATCH_HASHED, MATCH_LONGEST, LEVELS, BINS, MOST_COUNTED};
    const int64_t length = sizeof known / sizeof *known;
    memcpy(values, known, (count < length ? count : length) * sizeof *known);
    return length;
}

#if defined __x86_64__
/* Not by __builtin_cpu_supports, which is always false when Zig compiles it (seen with ziglang 0.17.1). */
static int64_t best_x86_variant(void)
{
    const unsigned fma_xsave_f16c = 1u << 12 | 1u << 27 | 1u << 29, avx2 = 1u << 5, avx512f = 1u << 16;
    unsigned eax, ebx, ecx, edx, saved, high;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || (ecx & fma_xsave_f16c) != fma_xsave_f16c)
        return 0;
    __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0)); /* the registers that the system saves */
    if ((saved & 0x06) != 0x06 || !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || !(ebx & avx2))
        return 0;
    return (ebx & avx512f) && (saved & 0xe6) == 0xe6 ? 2 : 1;
}
#endif

/* The best variant for this processor: 0 is the baseline, 1 needs AVX2, FMA and F16C, 2 AVX-512. */
int64_t best_variant(void)
{
#if defined __x86_64__
    return best_x86_variant();
#else
    return 0;
#endif
}

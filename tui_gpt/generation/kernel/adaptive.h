/* The tables of adaptive.c; mirrored in structs.py and adaptive/tables.py. */

#include <stdint.h>

#define MIXERS 3
#define LINE 16 /* slots that are side by side */
#define PROBES 8 /* of these, those that are searched */
#define MATCH_HASHED 7 /* tokens of the shortest match */
#define MATCH_LONGEST 40
#define LEVELS 24 /* of a count; see tables.py */
#define MOST_COUNTED 250
#define BINS 33 /* of a refinement, evenly spread over stretched probabilities from -8 to 8 */

struct slot { /* how often each bit came after a context, at a node */
    uint16_t check; /* 0 in an empty slot */
    uint8_t counts[2];
};

struct estimate { /* a probability, learned from `count` observations */
    float p, count;
};

struct predictor {
    int64_t vocab_size, contexts, line_bits, match_bits, refine_bits;
    const int32_t *order, *place;                 /* (V,): see code.py, as the next */
    const int32_t *low, *middle, *high, *children, *groups; /* (V - 1,), (V - 1, 2) */
    const uint8_t *levels;                        /* (256,): the level of a count */
    struct slot *slots;                           /* (K, 2^line_bits, LINE) */
    struct estimate *count_maps;                  /* (K, LEVELS, LEVELS): probability of bit 1 */
    struct estimate *match_maps;                  /* (MATCH_LONGEST + 1,): that the match is right */
    float *mixers[MIXERS];                        /* (V - 1, I), (MATCH_LONGEST + 1, I), (V + 1, I) */
    float *final;                                 /* (V - 1, MIXERS) */
    float *refinements;                           /* (2, 2^refine_bits, BINS) */
    int32_t *heads;                               /* (2^match_bits,): where the last tokens were seen last; -1 is nowhere */
    const int32_t *tokens;                        /* the text so far */
    double *held;                                 /* (V + 1,): scratch */
    float rate, final_rate, refine_rate, refine_weight, bias, count_limit;
};

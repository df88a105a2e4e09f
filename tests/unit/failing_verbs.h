/* SPDX-License-Identifier: BSD-2-Clause */
/* failing_verbs.h - which verbs the transport has called, and which of them were made to fail */
#ifndef TESTS_UNIT_FAILING_VERBS_H
#define TESTS_UNIT_FAILING_VERBS_H

/* Each place in mrpc-rdma.so that has called a verb, and how often it was made to fail. */
void failing_verbs_print(void);

#endif /* TESTS_UNIT_FAILING_VERBS_H */

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/request.h"

bool request_next_header(const struct request *request, struct span name, size_t *at,
                         struct span *out_value)
{
    return request->next_header(request->head, name, at, out_value);
}

struct span request_first_offer(const struct request *request)
{
    return request->offer_count > 0 ? request->offers[0] : (struct span){NULL, 0};
}

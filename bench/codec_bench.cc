// SPDX-License-Identifier: BSD-2-Clause
// codec_bench - nanoseconds to turn a message into bytes and back: mrpc's two encodings beside other implementations
//
//   codec_bench [ROUNDS]
//
// In each round every way of every implementation runs for a few milliseconds, one after the other; printed are medians
// over the rounds. Ratios are of the best way of each: above 1, mrpc is faster.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "bench/codec.h"
#include "shop.pb.h"

namespace
{

constexpr double round_nanoseconds = 4e6;

const codec_peer *const peers[] = {
    &codec_mrpc,
    &codec_libprotobuf,
#ifdef HAVE_PROTOBUF_C
    &codec_protobuf_c,
#endif
#ifdef HAVE_UPB
    &codec_upb,
#endif
};

struct Operation {
    const codec_peer *peer;
    const codec_way *way;
    codec_subject *subject;
    size_t times; // in a round
    std::vector<double> rounds;

    double median() const
    {
        std::vector<double> sorted = rounds;
        std::sort(sorted.begin(), sorted.end());
        return sorted[sorted.size() / 2];
    }
};

[[noreturn]] void fail(const codec_peer *peer, const char *type, const char *what)
{
    std::fprintf(stderr, "codec_bench: %s, %s: %s\n", peer->name, type, what);
    std::exit(1);
}

double now()
{
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return 1e9 * static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec);
}

void run(Operation &operation, const char *type)
{
    double begin = now();
    if (!operation.way->run(operation.subject, operation.times))
        fail(operation.peer, type, operation.way->name);
    operation.rounds.push_back((now() - begin) / static_cast<double>(operation.times));
}

// Finds how often the operation fits into a round.
void calibrate(Operation &operation, const char *type)
{
    for (operation.times = 16;; operation.times *= 2) {
        run(operation, type);
        double spent = operation.rounds.back() * static_cast<double>(operation.times);
        operation.rounds.clear();
        if (spent > round_nanoseconds / 4) {
            operation.times = std::max<size_t>(
                1, static_cast<size_t>(static_cast<double>(operation.times) * round_nanoseconds / spent));
            return;
        }
    }
}

std::vector<Operation> open_all(const codec_input &input)
{
    std::vector<Operation> operations;
    for (const codec_peer *peer : peers) {
        codec_subject *subject = peer->open(&input);
        if (subject == nullptr)
            fail(peer, input.type, "cannot take the message as libprotobuf wrote it");
        std::printf("  %-24s %9zu bytes of memory\n", peer->name, peer->memory(subject));
        for (const codec_way *way = peer->ways; way->run != nullptr; way++)
            operations.push_back({peer, way, subject, 0, {}});
    }
    return operations;
}

// The fastest way that a peer has.
double best(const std::vector<Operation> &operations, const codec_peer *peer, codec_task task)
{
    double fastest = 0;
    for (const Operation &operation : operations)
        if (operation.peer == peer && operation.way->task == task && (fastest == 0 || operation.median() < fastest))
            fastest = operation.median();
    return fastest;
}

// Unmarshalling works in place, on a block that is copied for each time; what the copy takes is subtracted.
void print_native(const std::vector<Operation> &operations)
{
    double copy = best(operations, &codec_mrpc, CODEC_COPY);
    double marshal = best(operations, &codec_mrpc, CODEC_MARSHAL);
    double unmarshal = best(operations, &codec_mrpc, CODEC_UNMARSHAL) - copy;
    std::printf("  native: libprotobuf encode / marshal %.1f, ",
                best(operations, &codec_libprotobuf, CODEC_ENCODE) / marshal);
    if (unmarshal > 0.03 * copy)
        std::printf("libprotobuf decode / unmarshal in place (%.1f ns) %.1f\n", unmarshal,
                    best(operations, &codec_libprotobuf, CODEC_DECODE) / unmarshal);
    else
        std::printf("unmarshal in place takes less than can be told from the copy\n");
}

void print(const std::vector<Operation> &operations)
{
    static const char *const tasks[] = {"encode", "decode", "marshal", "unmarshal", "copy", "list"};
    for (const Operation &operation : operations)
        std::printf("  %-24s %-10s %-32s %10.1f ns\n", operation.peer->name, tasks[operation.way->task],
                    operation.way->name, operation.median());
    for (codec_task task : {CODEC_ENCODE, CODEC_DECODE}) {
        std::printf("  %s: ", tasks[task]);
        for (const codec_peer *peer : peers)
            if (peer != &codec_mrpc)
                std::printf(" %s %.2f", peer->name, best(operations, peer, task) / best(operations, &codec_mrpc, task));
        std::printf("\n");
    }
    print_native(operations);
}

// Map entries in the order of their keys, which is what mrpc writes.
std::string serialize(const google::protobuf::Message &message)
{
    std::string bytes;
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
    coded.Trim();
    return bytes;
}

// The descriptors of a file and of what it imports.
template <class Message> google::protobuf::FileDescriptorSet schema_of()
{
    google::protobuf::FileDescriptorSet set;
    Message::descriptor()->file()->CopyTo(set.add_file());
    return set;
}

template <class Message> void bench(const Message &message, int rounds)
{
    std::string bytes = serialize(message), schema = serialize(schema_of<Message>());
    std::string type = Message::descriptor()->full_name();
    codec_input input = {type.c_str(), bytes.data(), bytes.size(), schema.data(), schema.size()};
    std::printf("%s: %zu bytes in protobuf\n", input.type, bytes.size());
    std::vector<Operation> operations = open_all(input);
    for (Operation &operation : operations)
        calibrate(operation, input.type);
    for (int round = 0; round < rounds; round++)
        for (Operation &operation : operations)
            run(operation, input.type);
    print(operations);
}

shop::Flat flat()
{
    shop::Flat flat;
    flat.set_id(0x123456789a);
    flat.set_kind(3);
    flat.set_created(1700000000123456);
    flat.set_amount(1234.5);
    flat.set_name("twenty-five letters, more");
    flat.set_active(true);
    return flat;
}

shop::Scalars scalars()
{
    shop::Scalars scalars;
    scalars.set_level(-3);
    scalars.set_balance(1234567890123);
    scalars.set_count(300);
    scalars.set_serial(0xfedcba9876543210);
    scalars.set_offset(-77);
    scalars.set_change(123456789);
    scalars.set_address(0x7f000001);
    scalars.set_hash(0x0123456789abcdef);
    scalars.set_ratio(0.75);
    scalars.set_done(true);
    return scalars;
}

void fill(shop::Address *address, const char *street)
{
    address->set_street(street);
    address->set_city("Frankfurt am Main");
    address->set_postcode("60311");
    address->set_country("DE");
}

void fill(shop::Item *item, unsigned index)
{
    static const char *const titles[] = {"Screwdriver, cross-head, 6 x 100", "Wood screws, 4 x 40, 200 pieces", "Glue",
                                         "Sandpaper, assorted grains, 10 sheets of 230 x 280", "Folding rule, 2 m"};
    item->set_product(1000000 + 7919 * index);
    item->set_title(titles[index % 5]);
    item->set_quantity(1 + index);
    item->set_price(3.5 + index);
    item->set_note(index % 3 == 0 ? "please pack this one separately, it is fragile" : "on stock, leaves today");
    item->set_gift(index % 4 == 0);
}

shop::Order order()
{
    shop::Order order;
    order.set_id("2026-11-20-000123");
    order.set_created(1700000000123456);
    order.mutable_customer()->set_id(4711);
    order.mutable_customer()->set_name("Maria Musterfrau-Beispiel");
    order.mutable_customer()->set_mail("maria.musterfrau@example.com");
    fill(order.mutable_customer()->mutable_billing(), "Alte Mainzer Gasse 37");
    fill(order.mutable_customer()->mutable_shipping(), "Grosse Eschenheimer Strasse 128, back entrance");
    for (unsigned i = 0; i < 12; i++)
        fill(order.add_items(), i);
    for (const char *tag : {"tools", "returning-customer", "express", "gift"})
        order.add_tags(tag);
    for (int i = 0; i < 16; i++)
        order.add_history(i * 37);
    order.set_signature(std::string(64, '\x5a'));
    (*order.mutable_attributes())["browser"] = "Mozilla/5.0 (X11; Linux x86_64)";
    (*order.mutable_attributes())["campaign"] = "autumn";
    (*order.mutable_attributes())["channel"] = "web";
    (*order.mutable_attributes())["session"] = "7f9c24e8-3b1a-4f6e-9d8b-0a1b2c3d4e5f";
    order.set_card("**** **** **** 4242");
    order.set_comment("Please ring twice. If nobody is there, leave it with the neighbours on the second floor.");
    return order;
}

shop::Blob blob()
{
    shop::Blob blob;
    blob.set_name("picture.jpg");
    for (unsigned i = 0; i < 65536; i++)
        blob.mutable_data()->push_back(static_cast<char>(i * 2654435761u >> 24));
    return blob;
}

// Numbers of all lengths, in no order that a processor could learn.
shop::Numbers numbers()
{
    std::mt19937_64 random;
    shop::Numbers numbers;
    for (unsigned i = 0; i < 20000; i++) {
        numbers.add_quantities(static_cast<int>(random() >> (33 + random() % 31)));
        numbers.add_serials(random() >> random() % 64);
        numbers.add_changes(static_cast<int>(random() % 200) - 100);
        numbers.add_prices(0.01 * i);
        numbers.add_hashes(static_cast<uint32_t>(random()));
    }
    return numbers;
}

shop::Texts texts(const std::vector<const char *> &words)
{
    shop::Texts texts;
    texts.set_title("Lines of different lengths");
    for (unsigned i = 0; i < 100; i++) {
        std::string *line = texts.add_lines();
        for (unsigned word = 0; word <= i * 7 % 23; word++)
            line->append(words[(i * 31 + word * 7) % words.size()]).append(" ");
    }
    return texts;
}

shop::Maps maps()
{
    shop::Maps maps;
    for (int i = 0; i < 100; i++) {
        std::string key = "key-" + std::to_string(i * 7919 % 1000);
        (*maps.mutable_attributes())[key] = "value of " + key;
        (*maps.mutable_stock())[1 + i * 104729 % 65536] = 1000L * (i + 1);
        fill(&(*maps.mutable_branches())[key], "Alte Mainzer Gasse 37");
    }
    return maps;
}

} // namespace

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? std::atoi(argv[1]) : 21;
    if (argc > 2 || rounds < 1 || rounds > 10000) {
        std::fprintf(stderr, "usage: codec_bench [ROUNDS]   (1 to 10000, by default 21)\n");
        return 2;
    }
    std::printf("medians of %d rounds, interleaved; one thread; compiler %s\n", rounds, __VERSION__);
    bench(scalars(), rounds);
    bench(flat(), rounds);
    bench(order(), rounds);
    bench(schema_of<google::protobuf::FileDescriptorSet>(), rounds);
    bench(blob(), rounds);
    bench(numbers(), rounds);
    bench(texts({"the", "protocol", "larger", "a", "of", "shared", "memory", "over", "transport", "call", "ends",
                 "once", "Japanese", "and", "acknowledgement"}),
          rounds);
    bench(texts({"das", "größere", "Protokoll", "日本語", "über", "Übertragung", "мир", "и", "once", "à", "côté"}),
          rounds);
    bench(maps(), rounds);
    return 0;
}

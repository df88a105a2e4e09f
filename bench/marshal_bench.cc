// SPDX-License-Identifier: BSD-2-Clause
// marshal_bench - nanoseconds to turn a message into bytes and back: mrpc's two encodings and libprotobuf, interleaved
//
//   marshal_bench [ROUNDS]
//
// In each round every operation runs for a few milliseconds; printed are medians over the rounds, and what libprotobuf
// takes as a multiple of what mrpc takes.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <google/protobuf/arena.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "bench/marshal_mrpc.h"
#include "shop.pb.h"

namespace
{

constexpr double round_nanoseconds = 4e6;

struct Operation {
    const char *name;
    std::function<bool(size_t)> run;
    std::vector<double> rounds;

    double median()
    {
        std::sort(rounds.begin(), rounds.end());
        return rounds[rounds.size() / 2];
    }
};

double now()
{
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return 1e9 * static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec);
}

// How often the operation fits into a round.
size_t calibrate(const Operation &operation)
{
    for (size_t times = 16;; times *= 2) {
        double begin = now();
        if (!operation.run(times)) {
            std::fprintf(stderr, "marshal_bench: %s went wrong\n", operation.name);
            std::exit(1);
        }
        double spent = now() - begin;
        if (spent > round_nanoseconds / 4)
            return std::max<size_t>(1, static_cast<size_t>(static_cast<double>(times) * round_nanoseconds / spent));
    }
}

void measure(std::vector<Operation> &operations, int rounds)
{
    std::vector<size_t> times;
    for (const Operation &operation : operations)
        times.push_back(calibrate(operation));
    for (int round = 0; round < rounds; round++)
        for (size_t i = 0; i < operations.size(); i++) {
            double begin = now();
            operations[i].run(times[i]);
            operations[i].rounds.push_back((now() - begin) / static_cast<double>(times[i]));
        }
}

void fill(shop::Flat *flat)
{
    flat->set_id(0x123456789a);
    flat->set_kind(3);
    flat->set_created(1700000000123456);
    flat->set_amount(1234.5);
    flat->set_name("twenty-five letters, more");
    flat->set_active(true);
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

void fill(shop::Order *order)
{
    order->set_id("2026-11-20-000123");
    order->set_created(1700000000123456);
    order->mutable_customer()->set_id(4711);
    order->mutable_customer()->set_name("Maria Musterfrau-Beispiel");
    order->mutable_customer()->set_mail("maria.musterfrau@example.com");
    fill(order->mutable_customer()->mutable_billing(), "Alte Mainzer Gasse 37");
    fill(order->mutable_customer()->mutable_shipping(), "Grosse Eschenheimer Strasse 128, back entrance");
    for (unsigned i = 0; i < 12; i++)
        fill(order->add_items(), i);
    for (const char *tag : {"tools", "returning-customer", "express", "gift"})
        order->add_tags(tag);
    for (int i = 0; i < 16; i++)
        order->add_history(i * 37);
    order->set_signature(std::string(64, '\x5a'));
    (*order->mutable_attributes())["browser"] = "Mozilla/5.0 (X11; Linux x86_64)";
    (*order->mutable_attributes())["campaign"] = "autumn";
    (*order->mutable_attributes())["channel"] = "web";
    (*order->mutable_attributes())["session"] = "7f9c24e8-3b1a-4f6e-9d8b-0a1b2c3d4e5f";
    order->set_card("**** **** **** 4242");
    order->set_comment("Please ring twice. If nobody is there, leave it with the neighbours on the second floor.");
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

template <class Message>
void add_libprotobuf(std::vector<Operation> &operations, const Message &message, const std::string &bytes)
{
    operations.push_back({"libprotobuf encode",
                          [&message](size_t times) {
                              static char buffer[16384];
                              for (size_t i = 0; i < times; i++) // with the size, which an array needs
                                  if (!message.SerializeToArray(buffer, sizeof buffer))
                                      return false;
                              return true;
                          },
                          {}});
    operations.push_back({"libprotobuf decode",
                          [&bytes](size_t times) {
                              for (size_t i = 0; i < times; i++) {
                                  Message fresh;
                                  if (!fresh.ParseFromString(bytes))
                                      return false;
                              }
                              return true;
                          },
                          {}});
    operations.push_back({"libprotobuf decode, arena",
                          [&bytes](size_t times) {
                              for (size_t i = 0; i < times; i++) {
                                  google::protobuf::Arena arena;
                                  if (!google::protobuf::Arena::CreateMessage<Message>(&arena)->ParseFromString(bytes))
                                      return false;
                              }
                              return true;
                          },
                          {}});
    operations.push_back({"libprotobuf decode, reused",
                          [&bytes](size_t times) {
                              static Message reused;
                              for (size_t i = 0; i < times; i++)
                                  if (!reused.ParseFromString(bytes))
                                      return false;
                              return true;
                          },
                          {}});
}

template <class Message> void bench(const char *name, int rounds)
{
    Message message;
    fill(&message);
    std::string bytes = serialize(message);
    mrpc_subject *subject = mrpc_subject_new(name, bytes.data(), bytes.size());
    if (subject == nullptr) {
        std::fprintf(stderr, "marshal_bench: mrpc cannot take %s as libprotobuf wrote it\n", name);
        std::exit(1);
    }
    std::vector<Operation> operations = {
        {"memcpy of the native block", [subject](size_t times) { return mrpc_do_copy(subject, times); }, {}},
        {"mrpc marshal", [subject](size_t times) { return mrpc_do_marshal(subject, times); }, {}},
        {"mrpc copy and unmarshal", [subject](size_t times) { return mrpc_do_unmarshal(subject, times); }, {}},
        {"mrpc encode", [subject](size_t times) { return mrpc_do_encode(subject, times); }, {}},
        {"mrpc decode", [subject](size_t times) { return mrpc_do_decode(subject, times); }, {}},
    };
    add_libprotobuf(operations, message, bytes);
    measure(operations, rounds);

    double copy = operations[0].median(), marshal = operations[1].median(), both = operations[2].median();
    double encode = operations[3].median(), decode = operations[4].median(), unmarshal = std::max(both - copy, 0.1);
    double peer_encode = operations[5].median();
    std::printf("%s: %zu bytes in protobuf, %zu as a native block\n", name, bytes.size(),
                mrpc_subject_native_size(subject));
    std::printf("  %-34s %8.1f ns\n", operations[0].name, copy);
    std::printf("  %-34s %8.1f ns   libprotobuf encode / this: %5.1f\n", "mrpc marshal", marshal,
                peer_encode / marshal);
    std::printf("  %-34s %8.1f ns   libprotobuf decode / this: %5.1f\n", "mrpc unmarshal (in place)", unmarshal,
                operations[6].median() / unmarshal);
    std::printf("  %-34s %8.1f ns\n", operations[2].name, both);
    std::printf("  %-34s %8.1f ns   libprotobuf encode / this: %5.1f\n", "mrpc encode", encode, peer_encode / encode);
    std::printf("  %-34s %8.1f ns   libprotobuf decode / this: %5.1f\n", "mrpc decode", decode,
                operations[6].median() / decode);
    for (size_t i = 5; i < operations.size(); i++)
        std::printf("  %-34s %8.1f ns\n", operations[i].name, operations[i].median());
}

} // namespace

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? std::atoi(argv[1]) : 21;
    if (argc > 2 || rounds < 1 || rounds > 10000) {
        std::fprintf(stderr, "usage: marshal_bench [ROUNDS]   (1 to 10000, by default 21)\n");
        return 2;
    }
    std::printf("medians of %d rounds, interleaved; one thread\n", rounds);
    bench<shop::Flat>("shop.Flat", rounds);
    bench<shop::Order>("shop.Order", rounds);
    return 0;
}

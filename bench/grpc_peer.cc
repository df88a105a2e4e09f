/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grpc_peer.cc - the same call by gRPC C++, for comparison
 *
 * Both sides use the asynchronous interface with one thread and one completion queue, its fastest mode; with --spin
 * they poll the queue instead of waiting in it. ADDRESS is HOST:PORT or unix:PATH.
 */
#include "bench/measure.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "bench.grpc.pb.h"

namespace
{

using grpc::CompletionQueue;

/* The next event; spinning asks with a deadline that has passed. */
bool next_event(CompletionQueue *queue, bool spin, void **tag, bool *ok)
{
    if (!spin)
        return queue->Next(tag, ok);
    for (;;) {
        switch (queue->AsyncNext(tag, ok, gpr_time_0(GPR_CLOCK_MONOTONIC))) {
        case CompletionQueue::GOT_EVENT:
            return true;
        case CompletionQueue::SHUTDOWN:
            return false;
        case CompletionQueue::TIMEOUT:
            break;
        }
    }
}

/* One call on the server: waits for a request, answers it, begins anew. */
class ServerCall
{
  public:
    ServerCall(bench::Echo::AsyncService *service, grpc::ServerCompletionQueue *queue)
        : service_(service), queue_(queue)
    {
        begin();
    }
    void proceed(bool ok)
    {
        if (!ok)
            return;
        if (answered_) {
            begin();
        } else {
            answered_ = true;
            writer_->Finish(request_, grpc::Status::OK, this);
        }
    }

  private:
    void begin()
    {
        answered_ = false;
        context_ = std::make_unique<grpc::ServerContext>();
        writer_ = std::make_unique<grpc::ServerAsyncResponseWriter<bench::Payload>>(context_.get());
        service_->RequestCall(context_.get(), &request_, writer_.get(), queue_, queue_, this);
    }
    bench::Echo::AsyncService *service_;
    grpc::ServerCompletionQueue *queue_;
    std::unique_ptr<grpc::ServerContext> context_;
    std::unique_ptr<grpc::ServerAsyncResponseWriter<bench::Payload>> writer_;
    bench::Payload request_;
    bool answered_ = false;
};

int serve(const bench_options &options)
{
    bench::Echo::AsyncService service;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(options.address, grpc::InsecureServerCredentials());
    builder.RegisterService(&service);
    builder.SetMaxReceiveMessageSize(-1);
    auto queue = builder.AddCompletionQueue();
    auto server = builder.BuildAndStart();
    if (!server) {
        fprintf(stderr, "grpc_peer: cannot listen at %s\n", options.address);
        return 1;
    }
    std::vector<std::unique_ptr<ServerCall>> calls;
    for (int i = 0; i < 256; i++)
        calls.push_back(std::make_unique<ServerCall>(&service, queue.get()));
    void *tag;
    bool ok;
    while (next_event(queue.get(), options.spin, &tag, &ok))
        static_cast<ServerCall *>(tag)->proceed(ok);
    return 0;
}

struct ClientCall {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<bench::Payload>> reader;
    bench::Payload reply;
    grpc::Status status;
    uint64_t begun;

    void begin(bench::Echo::Stub *stub, const bench::Payload &request, CompletionQueue *queue)
    {
        begun = bench_now();
        context = std::make_unique<grpc::ClientContext>();
        reader = stub->AsyncCall(context.get(), request, queue);
        reader->Finish(&reply, &status, this);
    }
};

int run_client(const bench_options &options)
{
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    auto channel = grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(), arguments);
    auto stub = bench::Echo::NewStub(channel);
    CompletionQueue queue;
    bench::Payload request;
    request.set_data(std::string(options.size, 'x'));
    std::vector<ClientCall> calls(options.inflight);
    bench_run run;
    if (!channel->WaitForConnected(
            gpr_time_add(gpr_now(GPR_CLOCK_REALTIME), gpr_time_from_seconds(10, GPR_TIMESPAN)))) {
        fprintf(stderr, "grpc_peer: no connection to %s\n", options.address);
        return 1;
    }
    bench_begin(&run, &options);
    for (auto &call : calls)
        call.begin(stub.get(), request, &queue);
    size_t open = calls.size();
    bool more = true;
    void *tag;
    bool ok;
    while (open > 0 && next_event(&queue, options.spin, &tag, &ok)) {
        auto *call = static_cast<ClientCall *>(tag);
        if (!call->status.ok() || call->reply.data().size() != options.size) {
            fprintf(stderr, "grpc_peer: a call failed: %s\n", call->status.error_message().c_str());
            return 1;
        }
        more = bench_count(&run, call->begun) && more;
        if (more)
            call->begin(stub.get(), request, &queue);
        else
            open--;
    }
    bench_print(&run);
    return 0;
}

} // namespace

int main(int argc, char **argv)
{
    bench_options options = bench_parse(argc, argv);
    return options.server ? serve(options) : run_client(options);
}

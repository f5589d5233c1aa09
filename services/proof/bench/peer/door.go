package peer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/registry"
)

// Door serves POST /v1/events at an address until ctx ends: it reads an event in JSON
// with the standard library, encodes its data in Avro and answers once the record is
// acknowledged, in a group commit over kafka.Client.Produce. It asks nobody who they
// are, checks nothing and remembers nothing.
func Door(ctx context.Context, address string, brokers []string, topic, registryURL string) error {
	b, err := broker.New(broker.Config{Brokers: brokers})
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	n, err := b.Partitions(ctx, topic)
	if err != nil {
		return err
	}
	codec := schemas.NewCodec(registry.New(registryURL, http.DefaultClient))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /v1/events", func(w http.ResponseWriter, r *http.Request) {
		if err := take(r, codec, b, topic, n); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stopped := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stopped()
	if err := server.Serve(listener); ctx.Err() == nil {
		return err
	}
	return nil
}

func take(r *http.Request, codec *schemas.Codec, b *broker.Broker, topic string, partitions int) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	var event struct {
		ID, Source, Type, Subject string
		Data                      json.RawMessage
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return err
	}
	entry, ok := schemas.Lookup(event.Type)
	if !ok {
		return fmt.Errorf("no event %q", event.Type)
	}
	payload := entry.New()
	if err := json.Unmarshal(event.Data, payload); err != nil {
		return err
	}
	data, err := codec.Encode(r.Context(), payload)
	if err != nil {
		return err
	}
	key := []byte(event.Subject)
	_, err = b.Produce(r.Context(), broker.Record{
		Topic: topic, Partition: broker.PartitionOf(key, partitions), Key: key, Value: data,
		Headers: []schemas.Header{
			{Key: "ce_id", Value: []byte(event.ID)},
			{Key: "ce_source", Value: []byte(event.Source)},
			{Key: "ce_type", Value: []byte(event.Type)},
			{Key: "ce_subject", Value: key},
		},
	})
	return err
}

// Sends an event to the ingress (docs/ingress.md), with a token or a signature. Go 1.19 or newer, no modules.
//
//	INGRESS_URL=http://127.0.0.1:8080 INGRESS_TOKEN=... go run examples/go/send_event.go msg-8841 @john_doe 'hey, saw your post!'
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

var client = http.Client{Timeout: 10 * time.Second}

func post(id string, body []byte) (status int, later float64, text []byte) {
	request, _ := http.NewRequest("POST", os.Getenv("INGRESS_URL")+"/v1/events", bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+os.Getenv("INGRESS_TOKEN"))
	if secret := os.Getenv("INGRESS_SIGNING_SECRET"); secret != "" {
		key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		timestamp := strconv.FormatInt(time.Now().Unix(), 10) // each try has its own: an old one is refused
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
		request.Header.Del("Authorization")
		request.Header.Set("webhook-id", id)
		request.Header.Set("webhook-timestamp", timestamp)
		request.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, 0, nil
	}
	defer response.Body.Close()
	if text, err = io.ReadAll(response.Body); err != nil {
		return 0, 0, nil
	}
	later, _ = strconv.ParseFloat(response.Header.Get("Retry-After"), 64)
	return response.StatusCode, later, text
}

// The same event_id again is a duplicate and makes no second turn, so a request without an answer is sent again.
func main() {
	channel := map[string]any{"session_id": "lance_catcher_69c35e3e", "metadata": map[string]any{}} // where the answer goes
	event := map[string]any{"kind": "inbound_chat", "event_id": os.Args[1], "persona": "ava", "target": os.Args[2], "message": os.Args[3], "channel": channel}
	body, _ := json.Marshal(event)
	comeAgain := map[int]bool{0: true, 408: true, 425: true, 429: true, 500: true, 502: true, 503: true, 504: true}
	for attempt := 1; ; attempt++ {
		status, later, text := post("msg_"+os.Args[1], body)
		if status == 202 {
			fmt.Println(string(text))
			return
		}
		if !comeAgain[status] || attempt == 6 || later > 30 {
			fmt.Fprintln(os.Stderr, "status", status, string(text))
			os.Exit(1)
		}
		time.Sleep(time.Duration(math.Max(later, 0.1*math.Pow(2, float64(attempt))) * float64(time.Second)))
	}
}

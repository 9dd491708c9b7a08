// Package config reads the settings of a small service.
package config

import (
	"encoding/json"
	"fmt"
	"os"
)

// Config is what the file may say.
type Config struct {
	Address string `json:"address"`
	Port    int    `json:"port"`
}

// Load reads and checks the file at path.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var c Config
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("parse %s: %w", path, err)
	}
	if c.Port < 1 || c.Port > 65535 {
		return nil, fmt.Errorf("port %d is out of range", c.Port)
	}
	return &c, nil
}

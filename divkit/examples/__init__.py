"""The studies: each module asks one question of the lectures and answers it with a table and a picture."""
